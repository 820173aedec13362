"""The further fields of the chat API that the embedded model honours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponder.core.backend import Request
from ponder.core.errors import Rejected

__all__ = ["KNOWN", "sampling", "with_schema"]

_PENALTIES = ("frequency_penalty", "presence_penalty")

_LABELS = ("user", "safety_identifier", "metadata", "prompt_cache_key")
"""They say who asks, and change nothing in the reply."""

_LAST = 32 * 1024
"""Tokens back from the end that a penalty looks at. The chat API's looks at the whole text; room for so many is set
aside, and few contexts hold more."""

_NEGLIGIBLE = 1e-8
"""Of the likeliest token's probability. Tokens below it come to less than 0.2 % together, be there 150,000 of them, and
are in no nucleus; without them it is found by sorting some thousands of tokens in place of all."""

KNOWN = frozenset(("stop", "response_format", "logit_bias", *_PENALTIES, *_LABELS))


def with_schema(request: Request) -> Request:
    """The request with its ``response_format`` as the schema that it stands for."""
    form = request.options.get("response_format")
    if not form or form.get("type") == "text":
        return request
    given = form.get("json_schema", {}).get("schema") if form.get("type") == "json_schema" else None
    return replace(request, schema={"type": "object"} if given is None else given)


def sampling(request: Request) -> dict[str, Any]:
    """The fields of the runtime's body for `request.options`.

    Raises:
        Rejected: a key of ``logit_bias`` is no token's number.
    """
    options = request.options
    body: dict[str, Any] = {"stop": [text for text in (*request.stop, *options.get("stop", ())) if text]}
    body["samplers"] = ["temperature"] if request.top_p == 1 else ["temperature", "min_p", "top_p"]
    body["min_p"] = _NEGLIGIBLE
    penalties = {name: options[name] for name in _PENALTIES if options.get(name)}
    if penalties:
        body |= {**penalties, "repeat_last_n": _LAST, "samplers": ["penalties", *body["samplers"]]}
    if options.get("logit_bias"):
        body["logit_bias"] = _biases(options["logit_bias"])
    return body


def _biases(biases: Mapping[str, float]) -> list[list[float]]:
    try:
        return [[int(token), bias] for token, bias in biases.items()]
    except ValueError:
        raise Rejected("logit_bias: its keys are numbers of tokens") from None
