"""How sure the leading answer is to be the likeliest, if more than two answers may be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ponder.core.branch import Branch
from ponder.core.voting.vote import majority_confidence, tally

__all__ = ["dirichlet_confidence"]

POINTS = 200
"""Of the integral."""


def dirichlet_confidence(branches: Sequence[Branch]) -> float:
    """P(the leading answer is the likeliest) for Dirichlet(counts + 1) over the five largest counts.

    With fewer than three distinct answers it is the Beta criterion, as published. The paper integrates by Monte Carlo;
    a Dirichlet vector is one of Gamma variables up to a factor, so P(first > all others) is a one-dimensional integral.
    """
    leader, *others = [round(count) for count in tally(branches).values()][:5] or [0]
    if len(others) < 2:
        return majority_confidence(branches)
    top = leader + 1 + 12 * math.sqrt(leader + 1)
    width = top / POINTS
    return width * sum(
        _gamma_density(leader, x) * math.prod(_gamma_share(count, x) for count in others)
        for x in (width * (i + 0.5) for i in range(POINTS))
    )


def _gamma_density(count: int, x: float) -> float:
    """The density of Gamma(count + 1) at x > 0."""
    return math.exp(count * math.log(x) - x - math.lgamma(count + 1))


def _gamma_share(count: int, x: float) -> float:
    """P(Gamma(count + 1) < x): one minus a Poisson sum, because the shape is whole."""
    # From the largest term on, both ways: the first one, exp(-x), is 0 from x = 745 on.
    largest = min(count, int(x))
    total = peak = math.exp(largest * math.log(x) - x - math.lgamma(largest + 1))
    term = peak
    for j in range(largest, 0, -1):
        term *= j / x
        total += term
    term = peak
    for j in range(largest + 1, count + 1):
        term *= x / j
        total += term
    return 1.0 - total
