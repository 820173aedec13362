"""The first to finish decide."""

from __future__ import annotations

from collections.abc import Iterator

from ponder.core.methods.controller import Plan, View, controller
from ponder.core.methods.options import Count

__all__ = ["short_m_at_k"]


@controller("short-m-at-k", effort=lambda effort: {"k": 16, "m": 1 + round(15 * effort)})
def short_m_at_k(view: View, plan: Plan, m: Count = 3, k: Count = 8) -> Iterator[None]:
    """K branches in lock step, interval by interval; the first m to finish vote (Hassid et al. 2025, arXiv 2505.17813).

    Of several that finish in the same round the one that was opened first counts first.
    """
    enough = min(m, k)
    plan.open[0] = k
    for b in range(k):
        plan.run[b] = 1
    yield
    while view.n_finished[0] < enough:
        for b in range(k):
            if not view.finished[b]:
                plan.run[b] = 1
        yield
    best, most = -1, 0
    for i in range(enough):
        answer = view.answer[view.order[i]]
        if answer >= 0:
            plan.tally[answer] += 1
    for i in range(enough):
        answer = view.answer[view.order[i]]
        if answer >= 0 and plan.tally[answer] > most:
            best = answer
            most = plan.tally[answer]
    plan.answer[0] = best
