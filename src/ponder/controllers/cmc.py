"""The confidence momentum controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from ponder.core.methods.controller import TRAIL, Plan, View, controller
from ponder.core.methods.options import Between, Count, Share

__all__ = ["cmc"]

Rounds = Annotated[int, Between(0, 4096)]
Window = Annotated[int, Between(1, TRAIL)]

MOST_ROUNDS = 500


def _schedule(effort: float) -> Mapping[str, int | float]:
    """The published settings of an effort, which the paper calls beta."""
    return {
        "start": max(2, round(2 + 6 * effort)),
        "n": min(64, round(4 + 60 * effort)),
        "warmup": max(2, round(2 + 8 * effort)),
        "patience": max(3, round(3 + 9 * effort)),
        "window": max(2, round(2 + 6 * effort)),
        "alpha": 0.70 - 0.40 * effort,
        "threshold": 0.85 + 0.12 * effort,
        "slack": 0.04 - 0.03 * effort,
        "burst": max(1, round(1 + 2 * effort)),
        "widen": max(1, round(1 + 3 * effort)),
        "trend": 0.04 - 0.03 * effort,
        "enough": max(2, round(2 + 3 * effort)),
    }


@controller("cmc", effort=_schedule)
def cmc(
    view: View,
    plan: Plan,
    start: Count = 5,
    n: Count = 34,
    warmup: Rounds = 6,
    patience: Count = 8,
    window: Window = 5,
    alpha: Share = 0.50,
    threshold: Share = 0.91,
    slack: Share = 0.025,
    burst: Count = 2,
    widen: Count = 2,
    trend: Share = 0.025,
    enough: Count = 4,
    single_update: bool = False,
) -> Iterator[None]:
    """Stop on the momentum of the vote's confidence (Zheng et al. 2026, AutoTTS, arXiv 2605.08083).

    `start` branches are opened, `widen` more at a time up to `n` while the smoothed confidence of the finished
    branches stalls below `threshold`. Those that agree with the vote advance `burst` intervals a round; one that
    disagrees for `patience` rounds is abandoned, but never the last two. The confidence is smoothed twice a round by
    `alpha`, as published, or once with `single_update`. `plan.note` counts the rounds off the vote.
    """
    plan.open[0] = min(start, n)
    yield
    smooth, first = 0.0, 0
    for t in range(MOST_ROUNDS):
        while first < view.n_opened[0] and (view.finished[first] or view.pruned[first]):
            first += 1
        warm = t >= warmup
        decided = warm and view.leader[0] >= 0
        if not single_update:
            smooth = (1.0 - alpha) * smooth + alpha * view.confidence[0]
        if decided:
            _abandon(view, plan, first, patience)
        before, live = view.n_finished[0], _advance(view, plan, first, burst if decided else 1)
        if live:
            yield
        smooth = (1.0 - alpha) * smooth + alpha * view.confidence[0]
        plan.trail[t % window] = smooth
        gain = smooth - plan.trail[max(0, t + 1 - window) % window]
        if warm and view.n_finished[0] >= enough and smooth >= threshold and gain >= -slack:
            return
        if view.n_finished[0] - before == live:
            return
        stalls = gain <= trend and t >= max(1, warmup // 2) and smooth < threshold
        if stalls and view.n_opened[0] < n:
            plan.open[0] = min(widen, n - view.n_opened[0])
            yield


def _abandon(view: View, plan: Plan, first: int, patience: int) -> None:
    """Prune the branches that have disagreed with the vote for too long, the worst first; two stay alive.

    No branch below `first` is live.
    """
    live, doomed, leader = 0, 0, view.leader[0]
    for b in range(first, view.n_opened[0]):
        if not (view.finished[b] or view.pruned[b]):
            live += 1
            plan.note[b] = plan.note[b] + 1 if view.answer[b] != leader else 0
            doomed += plan.note[b] >= patience
    for _ in range(min(doomed, live - 2)):
        worst = -1
        for b in range(first, view.n_opened[0]):
            out = view.finished[b] or view.pruned[b] or plan.prune[b] or plan.note[b] < patience
            if not out and (worst < 0 or plan.note[b] > plan.note[worst]):
                worst = b
        plan.prune[worst] = 1


def _advance(view: View, plan: Plan, first: int, burst: int) -> int:
    """Every live branch by one interval, those that agree with the vote by `burst`; how many there are."""
    live, leader = 0, view.leader[0]
    for b in range(first, view.n_opened[0]):
        if not (view.finished[b] or view.pruned[b] or plan.prune[b]):
            plan.advance[b] = burst if view.answer[b] == leader else 1
            live += 1
    return live
