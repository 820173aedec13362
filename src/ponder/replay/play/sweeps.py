"""Many settings in one spec: ``cmc@0:1:0.05`` and ``lead(n=8:64:8,m=1:9:1)``."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import product

from ponder.core.errors import InvalidOption

__all__ = ["MOST_METHODS", "expand"]

MOST_METHODS = 10_000
"""In one spec."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,2})?"
_RANGE = re.compile(rf"(?<=[@=])\s*({_NUMBER}):({_NUMBER}):({_NUMBER})(?=\s*(?:[,()]|$))", re.IGNORECASE)


def expand(spec: str) -> list[str]:
    """All specs that `spec` stands for: every ``start:stop:step``, both ends included, with every other one.

    Raises:
        InvalidOption: a step that leads away from the end, past it, or nowhere; too many settings.
    """
    pieces = _RANGE.split(spec)
    ranges = [_values(spec, *map(Decimal, pieces[i : i + 3])) for i in range(1, len(pieces), 4)]
    count = 1
    for values in ranges:
        count *= len(values)
    if count > MOST_METHODS:
        raise InvalidOption(f"{spec!r} is {count:,} settings, more than {MOST_METHODS:,}; take larger steps")
    return [_filled(pieces[::4], chosen) for chosen in product(*ranges)]


def _values(spec: str, start: Decimal, stop: Decimal, step: Decimal) -> list[str]:
    if step == 0 or (stop - start) / step < 0:
        raise InvalidOption(f"{spec!r}: steps of {step} never lead from {start} to {stop}")
    steps = (stop - start) / step
    if steps >= MOST_METHODS:
        raise InvalidOption(f"{spec!r} is {int(steps) + 1:,} settings, more than {MOST_METHODS:,}; take larger steps")
    if steps != int(steps):
        raise InvalidOption(f"{spec!r}: steps of {step} from {start} pass {stop}, the end, which is included")
    return [f"{(start + i * step).normalize():f}" for i in range(int(steps) + 1)]


def _filled(texts: list[str], values: tuple[str, ...]) -> str:
    return texts[0] + "".join(value + text for value, text in zip(values, texts[1:], strict=True))
