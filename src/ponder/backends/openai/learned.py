"""What a model at an address has refused: learned from its errors, kept as long as the process.

Each parameter is dropped or renamed at most once, so that asking again comes to an end.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ponder.backends.openai.failures import Place
from ponder.backends.openai.reasoning import FIELDS
from ponder.backends.openai.refusals import refused
from ponder.core.backend import Capability, Request

__all__ = ["Learned", "learned_of"]

_log = logging.getLogger("ponder.backends.openai")

_KEPT = 1024
"""Models whose refusals are kept; clients of a gateway may name any number of them."""

_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

_SAMPLING = frozenset(("temperature", "top_p"))

_WISHES = frozenset(("seed", "random_seed", "stop", "stream_options", "verbose", "return_token_ids"))
"""A call means the same without them; what ``stop`` would have cut is cut here."""

_TWEAKS = frozenset(
    (
        "frequency_penalty", "presence_penalty", "logit_bias", "user", "metadata", "store", "service_tier", "verbosity",
        "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "parallel_tool_calls", "prediction", "top_k",
        "min_p", "repetition_penalty",
    )
)  # fmt: skip
"""Further fields that a user may have set; without them the answer is still one to the question."""

_ABILITIES: Mapping[str, Capability] = {
    "n": Capability.N,
    "logprobs": Capability.LOGPROBS,
    "top_logprobs": Capability.LOGPROBS,
    "seed": Capability.SEED,
    "random_seed": Capability.SEED,
    "continue_final_message": Capability.CONTINUE,
    "add_generation_prompt": Capability.CONTINUE,
}


class Learned:
    """What one model has refused.

    `renamed` and `dropped` are fields of the body; for each dropped one the server's words. `lost` are the
    capabilities that it turned out not to have.
    """

    def __init__(self) -> None:
        self.renamed: dict[str, str] = {}
        self.dropped: dict[str, str] = {}
        self.lost: dict[Capability, str] = {}

    def applied_to(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The body as the model takes it."""
        for old, new in self.renamed.items():
            if old in fields:
                fields[new] = fields.pop(old)
        for name in self.dropped:
            fields.pop(name, None)
        return fields

    def take(self, text: str, body: Mapping[str, Any], request: Request, place: Place) -> bool:
        """Learn from an error's `text`, after `body` was sent; false if there is nothing to be changed.

        What another call has learned meanwhile counts as well.
        """
        thinking = [name for name in FIELDS if name in body] if request.thinking is not None else []
        for refusal in refused(text, body, thinking):
            self._learn(refusal.field, refusal.whole, place.clean(refusal.words), request, place)
        return (
            self.applied_to(dict(body)) != body
            or any(capability in self.lost for name, capability in _ABILITIES.items() if name in body)
            or self._loses(request)
        )

    def _loses(self, request: Request) -> bool:
        return (request.schema is not None and Capability.SCHEMA in self.lost) or (
            isinstance(request.thinking, int) and Capability.THINKING_BUDGET in self.lost
        )

    def lose(self, capability: Capability, words: str, place: Place) -> None:
        """Note that the model cannot do something."""
        if capability not in self.lost:
            self.lost[capability] = words
            _log.info("%s does not offer %s: %s", place, capability.value, words)

    def notes(self, request: Request) -> list[str]:
        """What was asked for and is left out. A seed is not among it: nobody may have asked for one."""
        asked = set(request.options) - _WISHES
        asked |= {name for name in _SAMPLING if getattr(request, name) is not None}
        if request.thinking is not None:
            asked |= FIELDS
        if all(name in self.dropped for name in _LIMITS):
            asked |= set(_LIMITS)
        return [
            f"{name} is left out: the model refuses it ({self.dropped[name]})" for name in self.dropped if name in asked
        ]

    def _learn(self, name: str, whole: bool, words: str, request: Request, place: Place) -> None:
        if name in _LIMITS and whole:
            self._rename(name, words, place)
        elif name in FIELDS and isinstance(request.thinking, int):
            self.lose(Capability.THINKING_BUDGET, words, place)
        elif name in ("response_format", "json_schema") and request.schema is not None:
            self.lose(Capability.SCHEMA, words, place)
        elif name in _ABILITIES and (whole or name in ("n", "seed", "random_seed")):
            self.lose(_ABILITIES[name], words, place)
            if name in _WISHES:
                self._drop(name, words, place)
        elif name in _WISHES or _may_drop(name, whole, request):
            self._drop(name, words, place)

    def _rename(self, name: str, words: str, place: Place) -> None:
        other = _LIMITS[name]
        if other in self.renamed:
            self._drop(other, words, place)
            self._drop(name, words, place)
        elif name not in self.renamed:
            self.renamed[name] = other
            _log.info("%s takes %s, not %s: %s", place, other, name, words)

    def _drop(self, name: str, words: str, place: Place) -> None:
        if name not in self.dropped:
            self.dropped[name] = words
            _log.info("%s does not take %s, which is left out from now on: %s", place, name, words)


def _may_drop(name: str, whole: bool, request: Request) -> bool:
    """Whether a call still means the same without it; a value out of range is an error of whoever gave it."""
    if name in _SAMPLING and getattr(request, name) is None:
        return True
    return whole and (name in _SAMPLING or name in _TWEAKS or name in FIELDS)


_known: OrderedDict[tuple[str, str, str], Learned] = OrderedDict()


def learned_of(url: str, model: str, wire: str) -> Learned:
    """What is known of this model at this address; all backends for it share that."""
    key = (url, model, wire)
    known = _known.setdefault(key, Learned())
    _known.move_to_end(key)
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return known
