"""How much a client may write into each field of a body, by what the field means.

The bounds hold wherever a field of that name stands, in requests that pass through as in those that a strategy answers.
A text that is in no table, such as that of a message, may be as long as the request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.text.quoting import quoted
from ponder.gateway.errors import BadRequest

__all__ = ["FIELDS", "LONGEST", "MOST", "NAME", "NUMBERS", "VALUES", "checked"]

NAME = 500
"""Characters of a name, an identifier, or a key of an object."""

VALUES = 100_000
"""Texts (with the keys of objects), objects, lists and words in a body."""

NUMBERS = 2**19
"""Numbers in a body: a prompt may be a list of tokens."""

FIELDS = 256
"""Fields of a body."""

_ENTRIES = 8192

_NAMES = (
    "model", "user", "role", "type", "name", "id", "tool_call_id", "tool_choice", "function_call", "service_tier",
    "verbosity", "reasoning_effort", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "moderation",
    "encoding_format", "format", "detail", "modalities", "strategy", "budget", "verifier",
)  # fmt: skip

LONGEST: Mapping[str, int] = {**dict.fromkeys(_NAMES, NAME), "stop": 1000, "metadata": 2000}
"""Characters of a text in such a field, or of each text in a list or an object there."""

MOST: Mapping[str, int] = {
    "messages": 8192, "content": 4096, "tools": 1024, "functions": 1024, "tool_calls": 1024, "logit_bias": 4096,
    "stop": 64, "metadata": 64, "modalities": 16,
}  # fmt: skip
"""Entries of a list or an object in such a field; of other objects `_ENTRIES`."""


def checked(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object that has these fields, as a JSON decoder finds them.

    Raises:
        BadRequest: a field stands there twice, or is larger than its meaning allows.
    """
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise BadRequest(f"{quoted(twice)} stands twice in one object; servers differ in which of them they take")
    for name, value in pairs:
        if len(name) > NAME:
            raise BadRequest(f"{quoted(name)}: a name of {len(name):,} characters; at most {NAME} are taken")
        kind = type(value)
        if kind is str:
            if len(value) > NAME:
                _check_text(name, value)
        elif kind is dict or kind is list:
            _check_entries(name, value)
    return made


def _check_text(name: str, text: str) -> None:
    longest = LONGEST.get(name)
    if longest is not None and len(text) > longest:
        raise BadRequest(f"{name}: a text of {len(text):,} characters; at most {longest:,} are taken", name)


def _check_entries(name: str, value: dict[str, Any] | list[Any]) -> None:
    most = MOST.get(name, _ENTRIES if isinstance(value, dict) else None)
    if most is not None and len(value) > most:
        raise BadRequest(f"{quoted(name)} has {len(value):,} entries; at most {most:,} are taken", name)
    if name in LONGEST:
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, str):
                _check_text(name, one)
