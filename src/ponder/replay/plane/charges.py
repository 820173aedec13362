"""What branches of a recorded trace cost as they go on, and how far a budget lets them.

Written, like `ponder.replay.plane.rounds`, in the part of Python that Numba compiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponder.core.methods.controller import TO_END, Plan, View
from ponder.core.methods.plane import FINE

if TYPE_CHECKING:
    from ponder.replay.plane.tables import Books, Tables

__all__ = ["SPENT", "ration", "reach", "spent"]

SPENT = -1
"""Of a round: something did not fit the budget, and the episode ends."""


def reach(view: View, books: Books, tables: Tables, b: int, i: int, advance: int, run: int) -> tuple[int, int, int]:
    """The depth of a branch after it has gone on, what it will have cost, and the probes asked on the way."""
    count, length, depth, cost, asked = tables.counts[i], tables.lengths[i], view.depth[b], books.cost[b], 0
    if run:
        depth = count + 1 if run == TO_END else min(depth + run, count + 1)
        cost = max(cost, min(length, _stretch(tables, i, 0, depth)) if depth <= count else length)
    else:
        asked = min(advance, count - depth)
        cost += _stretch(tables, i, depth, asked)
        depth += asked
        if asked < advance:
            depth = count + 1
            cost = max(cost, length)
    return depth, cost, asked


def _stretch(tables: Tables, i: int, depth: int, intervals: int) -> int:
    """Tokens of so many intervals of branch i of the trace from a depth on, all with a probe at the end."""
    if tables.regular:
        return intervals * tables.interval
    last = tables.starts[i] + depth + intervals - 1
    before = tables.marks[tables.starts[i] + depth - 1] if depth else 0
    return tables.marks[last] - before if intervals else 0


def ration(view: View, plan: Plan, books: Books, tables: Tables, first: int, order: int) -> int:
    """A round under a budget, whose branches go on together, interval by interval; `FINE` or `SPENT`.

    As live, no call is begun that may not fit: an interval and a probe may cost all their tokens, a run to the end as
    many as the longest branch. Once something does not fit, this is the last interval.
    """
    outcome, step, moving, tokens = FINE, 0, True, spent(view, books, tables)
    while moving and outcome == FINE:
        moving, lasts = False, 0
        for b in range(books.lowest[0], view.n_opened[0]):
            i = first + tables.orders[order + b]
            run = plan.run[b] if step == 0 else 0
            if (run or (plan.advance[b] > step and not plan.run[b])) and view.depth[b] <= tables.counts[i]:
                takes = _go_on(view, books, tables, b, i, run, tables.budget - tokens)
                if takes == SPENT:
                    outcome = SPENT
                else:
                    tokens += takes
                    lasts = max(lasts, takes if run else min(takes, tables.interval))
                    moving = True
        books.clock[0] += lasts
        outcome = min(outcome, _probe(view, plan, books, tables, first, order, step))
        tokens = spent(view, books, tables)
        step += 1
    return outcome


def _go_on(view: View, books: Books, tables: Tables, b: int, i: int, run: int, left: int) -> int:
    """Branch b, which is branch i of the trace, by one interval or a run; the tokens, `SPENT` if they may not fit."""
    depth, cost, _ = reach(view, books, tables, b, i, 1, run)
    room = max(0, tables.longest - books.cost[b])
    most = room if run == TO_END else min(room, max(run, 1) * tables.interval)
    takes = cost - books.cost[b]
    if max(takes, most) > left:
        return SPENT
    view.depth[b] = depth
    books.cost[b] = cost
    books.sequential[0] = max(books.sequential[0], books.clock[0] + takes)
    return takes


def _probe(view: View, plan: Plan, books: Books, tables: Tables, first: int, order: int, step: int) -> int:
    """The probes after the intervals of a step, as many as fit; unless all do, none is shown and it is `SPENT`."""
    left, due = tables.budget - spent(view, books, tables), 0
    for b in range(books.lowest[0], view.n_opened[0]):
        due += _is_due(view, plan, books, tables, b, first + tables.orders[order + b], step)
    if due * tables.probe_cost <= left:
        books.probed[0] += due
        books.clock[0] += min(due, 1) * tables.probe_cost
        books.sequential[0] = max(books.sequential[0], books.clock[0])
        return FINE
    books.probed[0] += left // tables.probe_cost
    for b in range(books.lowest[0], view.n_opened[0]):
        # Back to where it was probed last.
        view.depth[b] -= _is_due(view, plan, books, tables, b, first + tables.orders[order + b], step)
    return SPENT


def _is_due(view: View, plan: Plan, books: Books, tables: Tables, b: int, i: int, step: int) -> bool:
    """Whether branch b has gone on in this step and comes to a probe."""
    asks = plan.advance[b] > step and not plan.run[b]
    return asks and view.depth[b] == books.started[b] + step + 1 and view.depth[b] <= tables.counts[i]


def spent(view: View, books: Books, tables: Tables) -> int:
    """The tokens of an episode so far."""
    tokens = tables.probe_cost * books.probed[0]
    for b in range(view.n_opened[0]):
        tokens += books.cost[b]
    return tokens
