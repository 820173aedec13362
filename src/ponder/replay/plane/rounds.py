"""The width-depth plane of a recorded trace (Zheng et al. 2026, AutoTTS, arXiv 2605.08083).

Written in the part of Python that Numba compiles, so that one source runs interpreted on lists and compiled on arrays.

A branch with n recorded probes takes n + 1 intervals: after each of the first n there is a probe, after the last the
final answer. Where probes are asked, as published, every interval but the last is charged in full and the last what
remains, if anything; where they are not, the charge follows the recorded length: ``min(length, depth * interval)``, and
a finished branch costs its length. A pruned branch costs what it had. A trace may say at how many tokens each probe was
asked, where that was not after full intervals; then those are charged.

That is what the same run costs live if a trace holds the probes that a live run asks: one after each interval at whose
end the branch was still under way. Then n intervals are full and the last is at most one. In the published traces the
part after the last probe may be missing, or longer than an interval; then the next rounds do not wait for its end.
"""

from __future__ import annotations

from typing import Any

from ponder.core.methods.controller import Plan, Program, View
from ponder.core.methods.plane import (
    ENDLESS,
    FINE,
    MOST_ROUNDS,
    NOTHING,
    clear,
    count_votes,
    decide,
    finish,
    mistaken,
    open_branches,
    overlooked,
)
from ponder.replay.plane.charges import SPENT, ration, reach, spent
from ponder.replay.plane.tables import Books, Outcomes, Tables

__all__ = ["begin", "carry_out", "play", "play_all"]


def begin(view: View, plan: Plan, books: Books, branches: int) -> None:
    """Clear what the last episode has left."""
    for a in range(view.n_answers[0]):
        books.shown[books.known[a]] = -1
    for b in range(branches):
        books.cost[b] = 0
    clear(view, plan, branches)
    books.probed[0] = books.clock[0] = books.sequential[0] = books.lowest[0] = 0


def carry_out(view: View, plan: Plan, books: Books, tables: Tables, first: int, order: int) -> int:
    """Do what is planned for one round; `FINE`, `SPENT`, or the position in `MISTAKES` of what is wrong with it."""
    outcome = open_branches(view, plan)
    if outcome:
        return outcome
    busy, lasts, longest, finished = False, 0, 0, view.n_finished[0]
    for b in range(books.lowest[0], view.n_opened[0]):
        if not (plan.prune[b] or plan.advance[b] or plan.run[b]):
            continue
        outcome = mistaken(view, plan, b)
        if outcome:
            return outcome
        busy = True
        books.started[b] = view.depth[b]
        if plan.prune[b]:
            plan.prune[b] = 0
            view.pruned[b] = 1
        elif not tables.budget:
            i = first + tables.orders[order + b]
            took = _continue(view, plan, books, tables, b, i)
            longest = max(longest, took)
            lasts = max(lasts, _awaited(plan, tables, b, took))
            finished = _arrive(view, plan, books, tables, b, i, finished)
    if not busy:
        return overlooked(view, plan, tables.branches) or NOTHING
    books.sequential[0] = max(books.sequential[0], books.clock[0] + longest)
    books.clock[0] += lasts
    if tables.budget:
        outcome = ration(view, plan, books, tables, first, order)
        finished = _arrive_all(view, plan, books, tables, first, order)
    count_votes(view, books.first, finished)
    if view.leader[0] >= 0:
        view.confidence[0] = tables.confidence[view.top[0] * (tables.branches + 1) + view.top[1]]
    while books.lowest[0] < view.n_opened[0] and (view.finished[books.lowest[0]] or view.pruned[books.lowest[0]]):
        books.lowest[0] += 1
    return outcome


def _continue(view: View, plan: Plan, books: Books, tables: Tables, b: int, i: int) -> int:
    """Branch b, which is branch i of the trace, goes on as planned; the tokens that this takes."""
    depth, cost, asked = reach(view, books, tables, b, i, plan.advance[b], plan.run[b])
    took = cost - books.cost[b] + asked * tables.probe_cost
    view.depth[b] = depth
    books.cost[b] = cost
    books.probed[0] += asked
    return took


def _awaited(plan: Plan, tables: Tables, b: int, took: int) -> int:
    """The tokens of a branch for which the next round waits: no more than those of the intervals that were planned."""
    return took if plan.run[b] else min(took, plan.advance[b] * (tables.interval + tables.probe_cost))


def _arrive(view: View, plan: Plan, books: Books, tables: Tables, b: int, i: int, finished: int) -> int:
    """Show what a branch has come to in this round; how many branches have finished then."""
    depth, count, ran = view.depth[b], tables.counts[i], plan.run[b]
    plan.advance[b] = plan.run[b] = 0
    if depth > count:
        view.answer[b] = _show(view, books, tables.finals[i])
        return finish(view, books.started, b, tables.lengths[i], finished)
    if not ran and depth > books.started[b]:
        view.answer[b] = _show(view, books, tables.probes[tables.starts[i] + depth - 1])
    return finished


def _arrive_all(view: View, plan: Plan, books: Books, tables: Tables, first: int, order: int) -> int:
    """Show what all branches of a round have come to; how many branches have finished then."""
    finished = view.n_finished[0]
    for b in range(books.lowest[0], view.n_opened[0]):
        if plan.advance[b] or plan.run[b]:
            finished = _arrive(view, plan, books, tables, b, first + tables.orders[order + b], finished)
    return finished


def _show(view: View, books: Books, recorded: int) -> int:
    """The id under which the controller knows a recorded id; the next one if it has not been shown before."""
    if recorded < 0:
        return -1
    if books.shown[recorded] < 0:
        books.shown[recorded] = view.n_answers[0]
        books.known[view.n_answers[0]] = recorded
        view.n_answers[0] += 1
    return books.shown[recorded]


def play(
    program: Program,
    options: tuple[Any, ...],
    view: View,
    plan: Plan,
    books: Books,
    tables: Tables,
    question: int,
    order: int,
) -> int:
    """One episode; 0, or the position in `MISTAKES` of what the controller does wrong."""
    branches = tables.branches
    begin(view, plan, books, branches)
    for rounds, _ in enumerate(program(view, plan, *options)):
        mistake = carry_out(view, plan, books, tables, question * branches, order * branches)
        if mistake or rounds >= MOST_ROUNDS:
            return FINE if mistake == SPENT else mistake or ENDLESS
    return overlooked(view, plan, branches)


def play_all(
    program: Program,
    options: tuple[Any, ...],
    view: View,
    plan: Plan,
    books: Books,
    tables: Tables,
    outcomes: Outcomes,
    questions: tuple[int, int],
    n_orders: int,
) -> tuple[int, int, int]:
    """Every order of the questions from the first to before the second; the first mistake, its question and order."""
    for question in range(questions[0], questions[1]):
        for order in range(n_orders):
            mistake = play(program, options, view, plan, books, tables, question, order)
            if mistake:
                return mistake, question, order
            episode = question * n_orders + order
            answer = decide(view, plan)
            recorded = books.known[answer] if answer >= 0 else -1
            outcomes.answers[episode] = recorded
            outcomes.correct[episode] = 1 if recorded == tables.references[question] else 0
            outcomes.tokens[episode] = spent(view, books, tables)
            outcomes.sequential[episode] = books.sequential[0]
            outcomes.probes[episode] = books.probed[0]
            outcomes.opened[episode] = view.n_opened[0]
    return FINE, -1, -1
