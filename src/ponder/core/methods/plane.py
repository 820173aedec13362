"""The rules of the width-depth plane, which hold live as in replay: one set, applied by two worlds.

Plain functions in the part of Python that Numba compiles: on lists they run as they stand. A world checks a plan
(`open_branches`, `mistaken`), moves the branches by whatever means it has, and reports where they have come to
(`finish`, `count_votes`). `decide` reads the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ponder.core.methods.controller import TO_END, TRAIL, Numbers, Plan, View

__all__ = [
    "BACKWARDS",
    "ENDED",
    "ENDLESS",
    "FINE",
    "MISTAKES",
    "MOST_ROUNDS",
    "NOTHING",
    "TOO_MANY",
    "UNKNOWN",
    "UNOPENED",
    "clear",
    "count_votes",
    "decide",
    "finish",
    "furnish",
    "mistaken",
    "open_branches",
    "overlooked",
]

MOST_ROUNDS = 100_000

FINE, TOO_MANY, NOTHING, ENDED, UNOPENED, ENDLESS, BACKWARDS, UNKNOWN = range(8)

MISTAKES = (
    "",
    "opens more branches than were recorded, or than a run may have",
    "plans nothing, and would wait for ever",
    "advances or prunes a branch that has finished or was pruned",
    "advances or prunes a branch that was never opened",
    f"has not ended after {MOST_ROUNDS:,} rounds",
    "plans a negative number of branches or intervals",
    "answers with an id that was never shown",
)
"""What may be wrong with a plan, as the end of a sentence about the controller."""


def furnish(branches: int, answers: int, whole: Callable[[int], Any], real: Callable[[int], Any]) -> tuple[View, Plan]:
    """A view and a plan of zeros for so many branches and answers; `whole` and `real` make arrays of a given length."""
    view = View(
        n_opened=whole(1),
        n_finished=whole(1),
        n_answers=whole(1),
        room=whole(1),
        depth=whole(branches),
        answer=whole(branches),
        finished=whole(branches),
        pruned=whole(branches),
        length=whole(branches),
        order=whole(branches),
        votes=whole(answers),
        leader=whole(1),
        top=whole(2),
        confidence=real(1),
    )
    plan = Plan(
        open=whole(1),
        advance=whole(branches),
        run=whole(branches),
        prune=whole(branches),
        answer=whole(1),
        note=whole(branches),
        tally=whole(answers),
        trail=real(TRAIL),
    )
    return view, plan


def clear(view: View, plan: Plan, branches: int) -> None:
    """What an episode of so many branches finds at its start, whatever the last one has left."""
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
    for a in range(view.n_answers[0]):
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


def open_branches(view: View, plan: Plan) -> int:
    """Open the branches that are planned; `FINE`, or what is wrong."""
    opening = plan.open[0]
    if opening < 0:
        return BACKWARDS
    if opening > view.room[0]:
        return TOO_MANY
    for b in range(view.n_opened[0], view.n_opened[0] + opening):
        if not (plan.advance[b] or plan.run[b]):
            plan.advance[b] = 1
    plan.open[0] = 0
    view.room[0] -= opening
    view.n_opened[0] += opening
    return FINE


def mistaken(view: View, plan: Plan, b: int) -> int:
    """What is wrong with the plan for an open branch; `FINE` if nothing."""
    if view.finished[b] or view.pruned[b] or (plan.prune[b] and (plan.advance[b] or plan.run[b])):
        return ENDED
    if plan.advance[b] < 0 or plan.run[b] < TO_END:
        return BACKWARDS
    return FINE


def overlooked(view: View, plan: Plan, branches: int) -> int:
    """What no round looks at, once at the end: plans for branches that had ended or never began, an unknown answer."""
    for b in range(branches):
        if plan.prune[b] or plan.advance[b] or plan.run[b]:
            if b < view.n_opened[0] and (view.finished[b] or view.pruned[b]):
                return ENDED
            if b >= view.n_opened[0] and plan.open[0] == 0:
                return UNOPENED
    return UNKNOWN if plan.answer[0] >= view.n_answers[0] else FINE


def finish(view: View, started: Numbers, b: int, length: int, position: int) -> int:
    """Branch b has finished, as number `position`; gives the position of the next.

    Those that finish in one round are lined up in `View.order`: the deepest when the round `started` first, as
    published, then by number.
    """
    view.finished[b] = 1
    view.length[b] = length
    here = position
    while here > view.n_finished[0] and started[view.order[here - 1]] < started[b]:
        view.order[here] = view.order[here - 1]
        here -= 1
    view.order[here] = b
    return position + 1


def count_votes(view: View, first: Numbers, finished: int) -> None:
    """Count the votes of `View.order` up to this many; `first` is the position of the first vote for an answer."""
    while view.n_finished[0] < finished:
        position = view.n_finished[0]
        view.n_finished[0] = position + 1
        if view.answer[view.order[position]] >= 0:
            _vote(view, first, view.answer[view.order[position]], position)


def _vote(view: View, first: Numbers, answer: int, position: int) -> None:
    if view.votes[answer] == 0:
        first[answer] = position
    view.votes[answer] += 1
    leader, count = view.leader[0], view.votes[answer]
    if leader < 0 or answer == leader:
        view.leader[0] = answer
        view.top[0] = count
    elif count > view.top[0] or (count == view.top[0] and first[answer] < first[leader]):
        view.leader[0] = answer
        view.top[1] = view.top[0]
        view.top[0] = count
    else:
        view.top[1] = max(view.top[1], count)


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
