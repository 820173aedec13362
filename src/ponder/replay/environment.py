"""The width-depth plane of a recorded trace (Zheng et al. 2026, AutoTTS, arXiv 2605.08083).

Written in the part of Python that Numba compiles, so that one source runs interpreted on lists and compiled on arrays.

A branch with n recorded probes takes n + 1 intervals: after each of the first n there is a probe, after the last the
final answer. Where probes are asked, as published, every interval but the last is charged in full and the last what
remains, if anything; where they are not, the charge follows the recorded length: ``min(length, depth * interval)``, and
a finished branch costs its length. A pruned branch costs what it had.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ponder.core.controller import TO_END, TRAIL, Flags, Numbers, Plan, Program, Reals, View

__all__ = [
    "MISTAKES",
    "MOST_ROUNDS",
    "Books",
    "Outcomes",
    "Tables",
    "begin",
    "carry_out",
    "decide",
    "overlooked",
    "play",
    "play_all",
]

MOST_ROUNDS = 100_000

FINE, TOO_MANY, NOTHING, ENDED, UNOPENED, ENDLESS, BACKWARDS = range(7)

MISTAKES = (
    "",
    "opens more branches than were recorded",
    "plans nothing, and would wait for ever",
    "advances or prunes a branch that has finished or was pruned",
    "advances or prunes a branch that was never opened",
    f"has not ended after {MOST_ROUNDS:,} rounds",
    "plans a negative number of branches or intervals",
)
"""What `play` may give back, as the end of a sentence about the controller."""


class Tables(NamedTuple):
    """A trace of Q questions with B branches each, flat: branch i of question q stands at q * B + i."""

    probes: Numbers
    """[P] The ids of all probes; ids are per question, -1 abstains."""
    starts: Numbers
    """[Q * B] Where a branch's probes begin in `probes`."""
    counts: Numbers
    """[Q * B] How many it has."""
    lengths: Numbers
    """[Q * B] Tokens."""
    finals: Numbers
    """[Q * B] The id of the final answer, -1 abstains."""
    references: Numbers
    """[Q] The id of the reference answer, -2 if no branch ever gave it. No controller is shown it."""
    orders: Numbers
    """[O * B] In which order the branches are opened."""
    confidence: Reals
    """[(B + 1)^2] `beta_confidence` of two counts, at first * (B + 1) + second."""
    branches: int
    interval: int
    """Tokens between two probes."""
    probe_cost: int
    """Tokens charged for a probe; 0 as published."""


class Books(NamedTuple):
    """What the environment writes down of an episode; no controller sees it."""

    cost: Numbers
    """[B] Tokens charged to a branch."""
    probed: Numbers
    """[1] Probes asked."""
    started: Numbers
    """[B] The depth of a branch before its last round."""
    chain: Numbers
    """[B] Tokens on the longest chain that ends in a branch: its own, after the longest one when it was opened."""
    sequential: Numbers
    """[1] Tokens on the longest chain of all."""
    shown: Numbers
    """[largest id + 1] The id under which the controller knows a recorded id, -1 if it has not been shown."""
    known: Numbers
    """[largest id + 1] The recorded id behind one that was shown."""
    first: Numbers
    """[largest id + 1] The position, among the finished, of the first vote for a shown id."""
    lowest: Numbers
    """[1] No branch below this one is live."""


class Outcomes(NamedTuple):
    """Q * O episodes; question q under order o stands at q * O + o."""

    correct: Flags
    answers: Numbers
    """The recorded id, -1 for none."""
    tokens: Numbers
    sequential: Numbers
    probes: Numbers
    opened: Numbers


def begin(view: View, plan: Plan, books: Books, branches: int) -> None:
    """Clear what the last episode has left."""
    for b in range(branches):
        view.depth[b] = 0
        view.answer[b] = -1
        view.finished[b] = 0
        view.pruned[b] = 0
        view.length[b] = 0
        view.order[b] = -1
        plan.advance[b] = 0
        plan.run[b] = 0
        plan.prune[b] = 0
        plan.note[b] = 0
        books.cost[b] = 0
    for a in range(view.n_answers[0]):
        books.shown[books.known[a]] = -1
        view.votes[a] = 0
        plan.tally[a] = 0
    for i in range(TRAIL):
        plan.trail[i] = 0.0
    view.n_opened[0] = view.n_finished[0] = view.n_answers[0] = 0
    view.room[0] = branches
    view.leader[0] = plan.answer[0] = -1
    view.top[0] = view.top[1] = 0
    view.confidence[0] = 0.0
    plan.open[0] = 0
    books.probed[0] = books.sequential[0] = books.lowest[0] = 0


def carry_out(view: View, plan: Plan, books: Books, tables: Tables, first: int, order: int) -> int:
    """Do what is planned for one round; 0, or the position in `MISTAKES` of what is wrong with it."""
    mistake = _open(view, plan, books)
    if mistake:
        return mistake
    busy = False
    finished = view.n_finished[0]
    longest = books.sequential[0]
    for b in range(books.lowest[0], view.n_opened[0]):
        if not (plan.prune[b] or plan.advance[b] or plan.run[b]):
            continue
        mistake = _wrong(view, plan, b)
        if mistake:
            return mistake
        busy = True
        if plan.prune[b]:
            plan.prune[b] = 0
            view.pruned[b] = 1
        else:
            books.started[b] = view.depth[b]
            books.chain[b] += _continue(view, plan, books, tables, b, first + tables.orders[order + b])
            longest = max(longest, books.chain[b])
            if view.finished[b]:
                _line_up(view, books, b, finished)
                finished += 1
    if not busy:
        return overlooked(view, plan, tables.branches) or NOTHING
    books.sequential[0] = longest
    while view.n_finished[0] < finished:
        _count_next(view, books, tables)
    while books.lowest[0] < view.n_opened[0] and (view.finished[books.lowest[0]] or view.pruned[books.lowest[0]]):
        books.lowest[0] += 1
    return FINE


def _open(view: View, plan: Plan, books: Books) -> int:
    """Open the branches that are planned; 0, or what is wrong."""
    opening = plan.open[0]
    if opening < 0:
        return BACKWARDS
    if opening > view.room[0]:
        return TOO_MANY
    for b in range(view.n_opened[0], view.n_opened[0] + opening):
        books.chain[b] = books.sequential[0]
        if not (plan.advance[b] or plan.run[b]):
            plan.advance[b] = 1
    plan.open[0] = 0
    view.room[0] -= opening
    view.n_opened[0] += opening
    return FINE


def _wrong(view: View, plan: Plan, b: int) -> int:
    """What is wrong with the plan for an open branch; 0 if nothing."""
    if view.finished[b] or view.pruned[b] or (plan.prune[b] and (plan.advance[b] or plan.run[b])):
        return ENDED
    if plan.advance[b] < 0 or plan.run[b] < TO_END:
        return BACKWARDS
    return FINE


def _continue(view: View, plan: Plan, books: Books, tables: Tables, b: int, i: int) -> int:
    """Branch b, which is branch i of the trace, as planned; the tokens that this takes."""
    count, length, before = tables.counts[i], tables.lengths[i], books.cost[b]
    depth, cost, asked = view.depth[b], before, 0
    if plan.run[b]:
        depth = count + 1 if plan.run[b] == TO_END else min(depth + plan.run[b], count + 1)
        cost = max(cost, min(length, depth * tables.interval) if depth <= count else length)
    else:
        asked = min(plan.advance[b], count - depth)
        cost += asked * tables.interval
        depth += asked
        if asked < plan.advance[b]:
            depth = count + 1
            cost = max(cost, length)
    plan.advance[b] = plan.run[b] = 0
    view.depth[b] = depth
    books.cost[b] = cost
    books.probed[0] += asked
    if depth > count:
        view.length[b] = length
        view.finished[b] = 1
        view.answer[b] = _show(view, books, tables.finals[i])
    elif asked:
        view.answer[b] = _show(view, books, tables.probes[tables.starts[i] + depth - 1])
    return cost - before + asked * tables.probe_cost


def _show(view: View, books: Books, recorded: int) -> int:
    """The id under which the controller knows a recorded id; the next one if it has not been shown before."""
    if recorded < 0:
        return -1
    if books.shown[recorded] < 0:
        books.shown[recorded] = view.n_answers[0]
        books.known[view.n_answers[0]] = recorded
        view.n_answers[0] += 1
    return books.shown[recorded]


def _line_up(view: View, books: Books, b: int, position: int) -> None:
    """Put b among those that finish in this round: the deepest first, as published, then by number."""
    while position > view.n_finished[0] and books.started[view.order[position - 1]] < books.started[b]:
        view.order[position] = view.order[position - 1]
        position -= 1
    view.order[position] = b


def _count_next(view: View, books: Books, tables: Tables) -> None:
    """Count the vote of the next branch in `View.order`."""
    position = view.n_finished[0]
    view.n_finished[0] = position + 1
    answer = view.answer[view.order[position]]
    if answer < 0:
        return
    if view.votes[answer] == 0:
        books.first[answer] = position
    view.votes[answer] += 1
    leader, count = view.leader[0], view.votes[answer]
    if leader < 0 or answer == leader:
        view.leader[0] = answer
        view.top[0] = count
    elif count > view.top[0] or (count == view.top[0] and books.first[answer] < books.first[leader]):
        view.leader[0] = answer
        view.top[1] = view.top[0]
        view.top[0] = count
    else:
        view.top[1] = max(view.top[1], count)
    view.confidence[0] = tables.confidence[view.top[0] * (tables.branches + 1) + view.top[1]]


def decide(view: View, plan: Plan) -> int:
    """The id that the controller answers with, -1 for none."""
    if plan.answer[0] >= 0:
        return plan.answer[0]
    if view.leader[0] >= 0:
        return view.leader[0]
    for a in range(view.n_answers[0]):
        plan.tally[a] = 0
    best, most = -1, 0
    for b in range(view.n_opened[0]):
        if view.answer[b] >= 0 and not view.pruned[b]:
            plan.tally[view.answer[b]] += 1
    for b in range(view.n_opened[0]):
        if view.answer[b] >= 0 and not view.pruned[b] and plan.tally[view.answer[b]] > most:
            best = view.answer[b]
            most = plan.tally[best]
    return best


def overlooked(view: View, plan: Plan, branches: int) -> int:
    """What `carry_out` does not look at, once at the end: plans for branches that had ended or never began."""
    for b in range(branches):
        if plan.prune[b] or plan.advance[b] or plan.run[b]:
            if b < view.n_opened[0] and (view.finished[b] or view.pruned[b]):
                return ENDED
            if b >= view.n_opened[0] and plan.open[0] == 0:
                return UNOPENED
    return FINE


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
            return mistake or ENDLESS
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
            tokens = tables.probe_cost * books.probed[0]
            for b in range(view.n_opened[0]):
                tokens += books.cost[b]
            outcomes.answers[episode] = recorded
            outcomes.correct[episode] = 1 if recorded == tables.references[question] else 0
            outcomes.tokens[episode] = tokens
            outcomes.sequential[episode] = books.sequential[0]
            outcomes.probes[episode] = books.probed[0]
            outcomes.opened[episode] = view.n_opened[0]
    return FINE, -1, -1
