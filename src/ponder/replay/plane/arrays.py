"""The arrays that an episode is played on: plain lists for interpreted controllers, NumPy arrays for compiled ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ponder.core.methods import plane
from ponder.core.methods.controller import Plan, View
from ponder.core.voting.vote import beta_confidence
from ponder.replay.plane.tables import Books, Outcomes, Tables
from ponder.replay.traces.trace import Trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_BRANCHES", "Room", "furnish", "outcomes", "tables"]


MOST_BRANCHES = 4096
"""The bound of `ponder.core.methods.options.Count`."""


class Room(NamedTuple):
    """What one player of episodes needs for itself."""

    view: View
    plan: Plan
    books: Books


def tables(trace: Trace, orders: NDArray[np.int32], probe_cost: int, *, lists: bool, budget: int = 0) -> Tables:
    """A trace under these orders as the environment reads it; `budget` is in tokens an episode, 0 is none."""
    regular = trace.probe_tokens is None
    columns: list[Any] = [
        trace.probes,
        trace.probes[:0] if regular else trace.probe_tokens,
        trace.starts,
        trace.counts,
        trace.lengths,
        trace.finals,
        trace.references,
        orders.reshape(-1),
        _confidences(trace.branches),
    ]
    if lists:
        columns = [column.tolist() for column in columns]
    longest = int(trace.lengths.max())
    return Tables._make([*columns, trace.branches, trace.interval, regular, probe_cost, longest, budget])


@cache
def _confidences(branches: int) -> NDArray[np.float64]:
    import numpy as np

    # The runner-up never has more votes than the leader, and together they have no more than there are branches.
    side = branches + 1
    table = np.zeros(side * side)
    for first in range(1, side):
        for second in range(min(first, branches - first) + 1):
            table[first * side + second] = beta_confidence(first, second)
    return table


def furnish(trace: Trace, *, lists: bool) -> Room:
    """Empty arrays for one player."""
    # A controller plans for as many branches as an option may name before it learns that there are fewer.
    branches, answers = max(trace.branches, MOST_BRANCHES), max(1, *map(len, trace.answers))
    whole: Any = _list if lists else _whole
    real: Any = _list if lists else _real
    view, plan = plane.furnish(branches, answers, whole, real)
    books = Books(
        cost=whole(branches),
        probed=whole(1),
        started=whole(branches),
        clock=whole(1),
        sequential=whole(1),
        shown=whole(answers),
        known=whole(answers),
        first=whole(answers),
        lowest=whole(1),
    )
    for recorded in range(answers):
        books.shown[recorded] = -1
    return Room(view, plan, books)


def outcomes(episodes: int) -> Outcomes:
    """Room for the results of so many episodes; `opened` is -1 until one has been played."""
    import numpy as np

    kinds: Sequence[type] = (np.int8, np.int32, np.int64, np.int64, np.int64, np.int64)
    return Outcomes(*(np.zeros(episodes, kind) for kind in kinds))._replace(opened=np.full(episodes, -1, np.int64))


def _list(size: int) -> list[int]:
    return [0] * size


def _whole(size: int) -> NDArray[np.int64]:
    import numpy as np

    return np.zeros(size, np.int64)


def _real(size: int) -> NDArray[np.float64]:
    import numpy as np

    return np.zeros(size)
