"""What a method does at most, by its options: arithmetic, before anything runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from ponder.core.errors import InvalidOption
from ponder.core.methods.registry import Plan
from ponder.core.settings import Settings
from ponder.core.text.quoting import quoted
from ponder.engine.methods import CONTROLLER

__all__ = ["CHECK_TOKENS", "OWN", "Fanout", "checks_of", "fanout"]

CHECK_TOKENS = 512
"""The most that one check in writing of p-yes takes."""


@dataclass(frozen=True, slots=True)
class _Width:
    """Which options of a method bound its branches: all of them, and those alive at the same time; None is one.

    A method that works interval by interval also probes, if `probes`.
    """

    all: str | None
    alive: str | None
    probes: bool = False


_WIDTHS = {
    "single": _Width(None, None),
    "self-consistency": _Width("n", "n"),
    "adaptive-consistency": _Width("n", "batch"),
    "best-of-n": _Width("n", "n"),
    "esc": _Width("n", "window"),
    "short-m-at-k": _Width("k", "k"),
    "cmc": _Width("n", "n", probes=True),
    "lead": _Width("n", None),
    "parallel-probe": _Width("n", "n", probes=True),
    "short-waves": _Width("n", "k"),
    CONTROLLER + "self-consistency": _Width("n", "n"),
    CONTROLLER + "adaptive-consistency": _Width("n", None),
    CONTROLLER + "esc": _Width("n", "window"),
    CONTROLLER + "short-m-at-k": _Width("k", "k"),
}

OWN = frozenset(_WIDTHS)
"""The methods whose fan-out is known by their name."""

_P_YES = re.compile(r"\s*p-yes\s*(?:\(\s*k\s*=\s*(\d{1,4})\s*\)|\(\s*\))?\s*")


class Fanout(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a request does, failed attempts apart.

    `width` branches in all, `alive` of them at the same time, each continued in `depth` steps; `calls` to the model
    and `tokens` generated, those of probes and verifiers included.
    """

    width: int
    alive: int
    depth: int
    calls: int
    tokens: int

    def times(self, n: int) -> Fanout:
        """The same, `n` times side by side."""
        return Fanout(
            width=n * self.width, alive=n * self.alive, depth=self.depth, calls=n * self.calls, tokens=n * self.tokens
        )


def fanout(plan: Plan, max_tokens: int, verifier: str | None = None) -> Fanout | None:
    """The fan-out of `plan` with replies of at most `max_tokens`; None for a method that only its author can bound.

    Raises:
        InvalidOption: `verifier` is not one that a request may name.
    """
    if plan.strategy.name not in _WIDTHS:
        return None
    bounds = _WIDTHS[plan.strategy.name]
    width = int(plan.values[bounds.all]) if bounds.all else 1
    alive = min(width, int(plan.values[bounds.alive]) if bounds.alive else 1)
    depth = -(-max_tokens // int(plan.values["interval"])) if "interval" in plan.values else 1
    probes = width * depth if bounds.probes else 0
    calls, tokens = width * depth + probes, width * max_tokens + probes * Settings().probe_tokens
    if verifier is not None and plan.needs_verifier:
        checks = checks_of(verifier)
        calls += width * (1 + checks)
        tokens += width * (max(1, checks) + checks * CHECK_TOKENS)
    return Fanout(width=width, alive=alive, depth=depth, calls=calls, tokens=tokens)


def checks_of(verifier: str) -> int:
    """How many checks in writing the verifier makes of one branch.

    Raises:
        InvalidOption: it is not one that a request may name.
    """
    # The other verifiers need a reference, read files, run code, or match a pattern of the client's without end.
    match = _P_YES.fullmatch(verifier)
    if match is None:
        raise InvalidOption(f"verifier {quoted(verifier)} cannot be used in a request; p-yes can, and p-yes(k=4)")
    return int(match[1] or 0)
