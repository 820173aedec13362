"""Methods played on traces, and the questions of several traces side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ponder.bench.frontier import coverage, majority
from ponder.core.errors import TraceError
from ponder.replay.play.methods import UNFIT
from ponder.replay.traces.trace import Trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ponder.bench.compared_methods import Entry

__all__ = ["MEASURES", "Measured", "Rows", "measure", "rows"]

MEASURES = ("correct", "tokens", "sequential")
"""What is measured of a method: the share of right answers, total and sequential tokens."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Q questions of one trace under M methods, averaged over the orders."""

    name: str
    questions: tuple[tuple[str, int], ...]
    """[Q] The text, and which of those with this text."""
    values: NDArray[np.float64]
    """[3, Q, M] As in `MEASURES`."""
    ceilings: NDArray[np.float64]
    """[Q, 2] `coverage` and `majority`."""


@dataclass(frozen=True, slots=True)
class Rows:
    """R different questions, of one trace or of several, each scaled so that a column's sum is the mean.

    Every trace counts the same, and every question within it. A question that stands in several traces is one row:
    what models make of the same question is no independent evidence about questions.
    """

    strata: tuple[int, ...]
    """How many rows belong together, in order: those that stand in the same traces."""
    values: NDArray[np.float64]
    """[3, R, M] As in `MEASURES`."""
    ceilings: NDArray[np.float64]
    """[R, 2]"""


def measure(
    traces: Sequence[Trace],
    entries: Sequence[Entry],
    *,
    orders: int,
    probe_cost: int | None,
    threads: int,
    interpreted: bool | None,
    tick: Callable[[], None],
) -> tuple[list[Measured], list[Entry], dict[str, list[str]]]:
    """Play every method on every trace; `tick` is called after each.

    Gives what was measured, of which methods, and what was wrong with those that are left out because they do not fit
    all traces: by the name of the curve, one complaint a setting, with the trace. They are tried before anything is
    played.

    Raises:
        TraceError: no branch has a right answer, so that nothing can be compared.
        StrategyError, TooFewBranches, MissingCapability: nothing at all fits, not even a baseline; the first complaint.
    """
    import numpy as np

    for trace in traces:
        if (trace.references < 0).all():
            raise TraceError(f"{trace.name}: no branch has the right answer to any question; has it reference answers?")
    left_out: dict[str, list[str]] = {}
    first: list[Exception] = []

    def leave_out(entry: Entry, trace: Trace, error: Exception) -> None:
        wrong = type(error)(f"{trace.name}: {entry.method.spec}: {error}")
        first.append(wrong)
        left_out.setdefault(entry.curve, []).append(str(wrong))

    def fits(entry: Entry) -> bool:
        for trace in traces:
            try:
                entry.method.try_on(trace, orders=orders, probe_cost=probe_cost)
            except UNFIT as error:
                leave_out(entry, trace, error)
                return False
        return True

    fitting = [entry for entry in entries if fits(entry)]
    kept: list[Entry] = []
    played: list[list[NDArray[np.float64]]] = []
    for entry in fitting:
        columns = []
        try:
            for trace in traces:
                run = entry.method.play(
                    trace, orders=orders, probe_cost=probe_cost, threads=threads, interpreted=interpreted
                )
                columns.append(np.stack([getattr(run, name).mean(axis=1) for name in MEASURES]))
                tick()
            kept.append(entry)
            played.append(columns)
        except UNFIT as error:
            leave_out(entry, trace, error)
    if first and not kept:
        raise first[0]
    measured = [
        Measured(
            name=trace.name,
            questions=_named(trace),
            values=np.stack([columns[t] for columns in played], axis=2),
            ceilings=np.stack([coverage(trace), majority(trace)], axis=1),
        )
        for t, trace in enumerate(traces)
    ]
    return measured, kept, left_out


def _named(trace: Trace) -> tuple[tuple[str, int], ...]:
    """The questions; those without a text are the trace's own."""
    seen: Counter[str] = Counter()
    named = []
    for text in trace.questions:
        key = text.strip() or f"{trace.name}\0"
        named.append((key, seen[key]))
        seen[key] += 1
    return tuple(named)


def rows(measured: Sequence[Measured]) -> Rows:
    """The questions of these traces together."""
    import numpy as np

    where: dict[tuple[str, int], list[int]] = {}
    for t, trace in enumerate(measured):
        for question in trace.questions:
            where.setdefault(question, []).append(t)
    order = sorted(where, key=where.__getitem__)
    sizes = Counter(tuple(where[question]) for question in order)
    place = {question: r for r, question in enumerate(order)}
    values = np.zeros((len(MEASURES), len(order), measured[0].values.shape[2]))
    ceilings = np.zeros((len(order), 2))
    for trace in measured:
        at = [place[question] for question in trace.questions]
        share = 1 / (len(measured) * len(at))
        values[:, at] += share * trace.values
        ceilings[at] += share * trace.ceilings
    return Rows(tuple(sizes.values()), values, ceilings)
