"""Which methods are ahead of which, with correction for how many comparisons that makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from ponder.bench.bootstrap import COSTS, Bootstrap, Estimate
from ponder.bench.compared_methods import Entry
from ponder.bench.curves import accuracy_at
from ponder.bench.stats import flip_test, holm, t_test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ALPHA", "Dominance", "Lead", "dominances", "leads", "members"]

ALPHA = 0.05

STEPS = 16
"""Costs, in equal ratios, at which two curves are compared."""


@dataclass(frozen=True, slots=True)
class Dominance:
    """One method is more accurate than another and costs less, in one of `COSTS`.

    `p` is of one paired test of both (`flip_test`), adjusted by Holm (1979) for all tests of the comparison.
    """

    winner: Entry
    loser: Entry
    cost: str
    gain: Estimate
    """In accuracy."""
    saving: Estimate
    """As a share of the loser's tokens."""
    p: float


@dataclass(frozen=True, slots=True)
class Lead:
    """By how much one curve is above another at equal cost, on average over the costs that both cover.

    The average is over the logarithm of the cost. `p` is of a two-sided paired test (`t_test`), adjusted by Holm (1979)
    for all tests of the comparison.
    """

    ahead: str
    behind: str
    cost: str
    between: tuple[float, float]
    """The costs that both cover."""
    gain: Estimate
    """In accuracy."""
    p: float


def dominances(entries: Sequence[Entry], bootstrap: Bootstrap) -> tuple[tuple[Dominance, ...], int]:
    """Those shown at the level `ALPHA`, the surest first, and how many tests that took.

    Every method that was asked for is tested against every cheap one and, unless both are settings of a sweep, against
    every other that was asked for; both ways, on both costs. Sweeps are compared as curves, see `leads`.
    """
    import numpy as np

    asked = np.array([entry.asked for entry in entries])
    swept = np.array([entry.asked and len(members(entries, entry.curve)) > 1 for entry in entries])
    curves = np.array([entry.curve for entry in entries])
    family = (asked[:, None] | asked) & ~(swept[:, None] & swept) & (curves[:, None] != curves)
    correct = bootstrap.rows.values[0]
    accuracy = bootstrap.seen[0]
    found: list[tuple[str, int, int]] = []
    p: list[float] = []
    for cost, i in COSTS.items():
        # Any other pair would fail one of the two tests by far.
        pairs = family & (accuracy[:, None] > accuracy) & (bootstrap.seen[i][:, None] < bootstrap.seen[i])
        winners, losers = np.nonzero(pairs)
        tokens = bootstrap.rows.values[i]
        p += flip_test(correct[:, winners] - correct[:, losers], tokens[:, losers] - tokens[:, winners]).tolist()
        found += [(cost, one, other) for one, other in zip(winners.tolist(), losers.tolist(), strict=True)]
    tests = int(family.sum()) * len(COSTS)
    adjusted = holm(np.array(p), tests)
    shown = [k for k in np.argsort(adjusted, kind="stable") if adjusted[k] < ALPHA]
    return tuple(_dominance(entries, bootstrap, found[k], float(adjusted[k])) for k in shown), tests


def _dominance(entries: Sequence[Entry], bootstrap: Bootstrap, pair: tuple[str, int, int], p: float) -> Dominance:
    cost, winner, loser = pair
    (right, drawn_right), (tokens, drawn_tokens) = ((bootstrap.seen[i], bootstrap.drawn[i]) for i in (0, COSTS[cost]))
    return Dominance(
        winner=entries[winner],
        loser=entries[loser],
        cost=cost,
        gain=bootstrap.estimate(right[winner] - right[loser], drawn_right[:, winner] - drawn_right[:, loser]),
        saving=bootstrap.estimate(
            1 - tokens[winner] / tokens[loser], 1 - drawn_tokens[:, winner] / drawn_tokens[:, loser]
        ),
        p=p,
    )


def members(entries: Sequence[Entry], curve: str) -> list[int]:
    """Where the settings of a curve stand."""
    return [m for m, entry in enumerate(entries) if entry.curve == curve]


def leads(entries: Sequence[Entry], bootstrap: Bootstrap) -> tuple[Lead, ...]:
    """Of every curve that was asked for over every other, on both costs, one of the two a sweep; the surest first."""
    import numpy as np

    asked = {entry.curve for entry in entries if entry.asked}
    curves = {curve: members(entries, curve) for curve in dict.fromkeys(entry.curve for entry in entries)}
    pairs = [
        (cost, a, b)
        for cost in COSTS
        for a, b in combinations(curves, 2)
        if (a in asked or b in asked) and max(len(curves[a]), len(curves[b])) > 1
    ]
    raw = [(pair, *_gap(bootstrap, COSTS[pair[0]], curves[pair[1]], curves[pair[2]])) for pair in pairs]
    p = holm(np.array([t_test(seen, drawn, bootstrap.rows.strata) for _, _, seen, drawn in raw]))
    found = []
    for ((cost, a, b), between, seen, drawn), adjusted in zip(raw, p, strict=True):
        if seen < 0:
            a, b, seen, drawn = b, a, -seen, -drawn
        found.append(Lead(a, b, cost, between, bootstrap.estimate(seen, drawn), float(adjusted)))
    return tuple(sorted(found, key=lambda lead: lead.p))


def _gap(
    bootstrap: Bootstrap, i: int, a: list[int], b: list[int]
) -> tuple[tuple[float, float], float, NDArray[np.float64]]:
    """Between which costs both curves are known, and the mean lead of a over b there, as seen and as resampled."""
    import numpy as np

    costs = bootstrap.seen[i]
    low = float(max(costs[a].min(), costs[b].min()))
    high = max(low, float(min(costs[a].max(), costs[b].max())))
    grid = np.geomspace(low, high, STEPS if high > low else 1)

    def mean(means: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below = (accuracy_at(grid, means[i][:, some], means[0][:, some]) for some in (a, b))
        gap: NDArray[np.float64] = (above - below).mean(axis=1)
        return gap

    return (low, high), float(mean(bootstrap.seen[:, None])[0]), mean(bootstrap.drawn)
