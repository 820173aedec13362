"""Parallel branches that watch each other's intermediate answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from ponder.core.methods.controller import Plan, View, controller
from ponder.core.methods.options import Between, Count

__all__ = ["parallel_probe"]

Rounds = Annotated[int, Between(0, 4096)]


@controller(
    "parallel-probe",
    effort=lambda effort: {
        "n": 4 + round(60 * effort),
        "stable": 4 + round(36 * effort),
        "warmup": 3 + round(12 * effort),
        "patience": 3 + round(4 * effort),
    },
)
def parallel_probe(
    view: View, plan: Plan, n: Count = 64, stable: Count = 40, warmup: Rounds = 15, patience: Count = 7
) -> Iterator[None]:
    """Prune who stays off the mode, stop when the mode stays (Parallel-Probe, Zheng et al. 2026, arXiv 2602.03845).

    `warmup` rounds pass before a branch may be pruned, after `patience` rounds off the mode; a mode that has stood for
    `stable` rounds is the answer. Finished branches go on voting. `plan.note` counts the rounds off the mode.
    """
    plan.open[0] = n
    yield
    previous, agreed, live = -1, 0, True
    for step in range(MOST_ROUNDS):
        live = False
        for b in range(n):
            if not (view.finished[b] or view.pruned[b] or plan.prune[b]):
                plan.advance[b] = 1
                live = True
        if not live:
            break
        yield
        mode = _current_mode(view, plan, n)
        if step >= warmup and _drop(view, plan, n, mode, patience):
            mode = _current_mode(view, plan, n)
            if mode < 0:
                break
        agreed = agreed + 1 if mode == previous else 0
        previous = mode
        if agreed >= stable:
            break
    plan.answer[0] = previous


MOST_ROUNDS = 100


def _current_mode(view: View, plan: Plan, n: int) -> int:
    """The most frequent latest answer of the branches not pruned, the first seen of several; -1 if there are none."""
    for b in range(n):
        if _votes(view, plan, b):
            plan.tally[view.answer[b]] += 1
    mode, most = -1, 0
    for b in range(n):
        if _votes(view, plan, b) and plan.tally[view.answer[b]] > most:
            mode = view.answer[b]
            most = plan.tally[mode]
    for b in range(n):
        if view.answer[b] >= 0:
            plan.tally[view.answer[b]] = 0
    return mode


def _votes(view: View, plan: Plan, b: int) -> bool:
    """Whether a branch has an answer and is not pruned, and will not be."""
    return view.answer[b] >= 0 and not view.pruned[b] and not plan.prune[b]


def _drop(view: View, plan: Plan, n: int, mode: int, patience: int) -> bool:
    """Prune the branches that have been off the mode for too long; whether there were any."""
    left = 0
    for b in range(n):
        left += not (view.pruned[b] or plan.prune[b])
    dropped = False
    for b in range(n):
        if left > 1 and not (view.finished[b] or view.pruned[b] or plan.prune[b]):
            plan.note[b] = plan.note[b] + 1 if view.answer[b] != mode else 0
            if plan.note[b] >= patience:
                plan.prune[b] = 1
                dropped = True
    return dropped
