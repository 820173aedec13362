"""A comparison's numbers as people read them: on the page and in the terminal."""

from __future__ import annotations

import math

from ponder.bench.bootstrap import COSTS, Estimate, known
from ponder.bench.compare import Point
from ponder.bench.dominance import ALPHA, Lead

__all__ = ["accuracy", "front", "gain", "interval", "p_value", "reached", "shown", "sure", "tokens", "verdict"]

NAMES = {"tokens": "total", "sequential": "sequential"}
"""What the two kinds of tokens are called in a table."""


def accuracy(estimate: Estimate) -> str:
    """``64.2 %``, a share as per cent."""
    return f"{100 * estimate.value:.1f} %"


def interval(estimate: Estimate) -> str:
    """``50.0 to 76.7``, the interval of a share in per cent."""
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}" if known(estimate) else "unknown"


def sure(estimate: Estimate) -> str:
    """``64.2 % (50.0 to 76.7)``."""
    return f"{accuracy(estimate)} ({interval(estimate)})"


def tokens(value: float) -> str:
    """``1,234``."""
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def gain(estimate: Estimate) -> str:
    """``+2.1 (0.3 to 4.0)``, in points of accuracy."""
    return f"{100 * estimate.value:+.1f} ({interval(estimate)})"


def front(point: Point) -> str:
    """On which fronts a method is, and in what share of the resamples: ``total 98 %``."""
    named = zip(COSTS, point.front, point.front_share, strict=True)
    return ", ".join(f"{NAMES[cost]} {100 * share:.0f} %" for cost, on, share in named if on)


def reached(estimate: Estimate) -> str:
    """What an accuracy costs: ``273,115 (89,619 to never)``."""
    ends = f" ({tokens(estimate.low)} to {tokens(estimate.high)})" if known(estimate) else ""
    return tokens(estimate.value) + ends


def p_value(p: float) -> str:
    """``0.031``; as small as can be told, ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def shown(leads: tuple[Lead, ...]) -> list[Lead]:
    """Those that the tests bear out."""
    return [lead for lead in leads if lead.p < ALPHA]


def verdict(found: int, tests: int, what: str) -> str:
    """How many of the tests bear something out."""
    if not tests:
        return f"No {what} to test."
    return f"{found or 'None'} of {tests:,} possible {what} can be shown at the level {ALPHA:g}, adjusted by Holm."
