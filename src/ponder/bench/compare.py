"""Methods compared on recorded traces: what each gets, what it costs, who is ahead of whom, and how sure that is.

All intervals are of one paired bootstrap over questions (`ponder.bench.stats`). Pooled over traces, a question that
several traces share is resampled in all of them at once; questions of different benchmarks are resampled each within
their own. Every trace counts the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ponder.bench.bootstrap import COSTS, Bootstrap, Estimate
from ponder.bench.compared_methods import REFERENCE, Entry
from ponder.bench.curves import tokens_to_reach
from ponder.bench.dominance import Dominance, Lead, dominances, leads, members
from ponder.bench.frontier import on_front
from ponder.bench.measure import Measured, rows

__all__ = ["Comparison", "Point", "Reach", "compare"]


@dataclass(frozen=True, slots=True)
class Point:
    """One method. Accuracies are shares, costs are tokens a question."""

    entry: Entry
    accuracy: Estimate
    tokens: Estimate
    sequential: Estimate
    per_correct: Estimate
    """Total tokens for each right answer; infinite if there is none."""
    front: tuple[bool, bool]
    """Whether it is on the Pareto front of each of `COSTS`."""
    front_share: tuple[float, float]
    """In what share of the resamples it is."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What an accuracy costs along one curve."""

    curve: str
    target: str
    accuracy: float
    costs: tuple[Estimate, Estimate]
    """In each of `COSTS`; infinite if it is not reached."""
    reached: float
    """In what share of the resamples the curve reaches it at all."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it, for one trace or for several together."""

    name: str
    traces: tuple[str, ...]
    questions: int
    points: tuple[Point, ...]
    coverage: Estimate
    """The share of questions that some branch answers rightly."""
    majority: Estimate
    """The accuracy of the vote over all branches."""
    reaches: tuple[Reach, ...]
    leads: tuple[Lead, ...]
    dominances: tuple[Dominance, ...]
    tests: int
    """How many tests the dominances are adjusted for."""


def compare(measured: Sequence[Measured], entries: Sequence[Entry], targets: Sequence[float] = ()) -> Comparison:
    """These methods on these traces together.

    `targets` are accuracies for `Comparison.reaches`; what plain voting over the most branches gets is always one.
    """
    table = rows(measured)
    bootstrap = Bootstrap(table)
    dominant, tests = dominances(entries, bootstrap)
    return Comparison(
        name=measured[0].name if len(measured) == 1 else "pooled",
        traces=tuple(one.name for one in measured),
        questions=sum(table.strata),
        points=_points(entries, bootstrap),
        coverage=bootstrap.mean(table.ceilings[:, 0]),
        majority=bootstrap.mean(table.ceilings[:, 1]),
        reaches=_reaches(entries, bootstrap, targets),
        leads=leads(entries, bootstrap),
        dominances=dominant,
        tests=tests,
    )


def _points(entries: Sequence[Entry], bootstrap: Bootstrap) -> tuple[Point, ...]:
    import numpy as np

    accuracy, tokens, _ = bootstrap.seen
    with np.errstate(divide="ignore"):
        seen = [*bootstrap.seen, tokens / accuracy]
        drawn = [*bootstrap.drawn, bootstrap.drawn[1] / bootstrap.drawn[0]]
    columns = [np.stack([one, *bootstrap.ends(many)]).T.tolist() for one, many in zip(seen, drawn, strict=True)]
    front = np.stack([on_front(bootstrap.seen[i], accuracy) for i in COSTS.values()]).T.tolist()
    share = np.stack([on_front(bootstrap.drawn[i], bootstrap.drawn[0]).mean(axis=0) for i in COSTS.values()]).T.tolist()
    return tuple(
        Point(
            entry=entry,
            accuracy=Estimate(*columns[0][m]),
            tokens=Estimate(*columns[1][m]),
            sequential=Estimate(*columns[2][m]),
            per_correct=Estimate(*columns[3][m]),
            front=(front[m][0], front[m][1]),
            front_share=(share[m][0], share[m][1]),
        )
        for m, entry in enumerate(entries)
    )


def _reaches(entries: Sequence[Entry], bootstrap: Bootstrap, targets: Sequence[float]) -> tuple[Reach, ...]:
    import numpy as np

    most = members(entries, REFERENCE)[-1]
    draws = np.ones(bootstrap.drawn.shape[1])
    goals = [(f"{100 * target:g} %", target, target * draws) for target in targets]
    # Paired: in each resample, what plain voting gets in the same one.
    goals.append((f"as {entries[most].method.spec}", float(bootstrap.seen[0, most]), bootstrap.drawn[0, :, most]))
    found = []
    for name, accuracy, target in goals:
        for curve in dict.fromkeys(entry.curve for entry in entries):
            some = members(entries, curve)
            seen, drawn = bootstrap.seen[:, None, some], bootstrap.drawn[:, :, some]
            exact = [tokens_to_reach(np.array([accuracy]), seen[i], seen[0])[0] for i in COSTS.values()]
            costs = [tokens_to_reach(target, drawn[i], drawn[0]) for i in COSTS.values()]
            tokens, sequential = (bootstrap.estimate(one, many) for one, many in zip(exact, costs, strict=True))
            reached = float(np.isfinite(costs[0]).mean())
            found.append(Reach(curve, name, accuracy, (tokens, sequential), reached))
    return tuple(found)
