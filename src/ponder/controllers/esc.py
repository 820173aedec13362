"""Stop at the first unanimous window."""

from __future__ import annotations

from collections.abc import Iterator

from ponder.core.methods.controller import TO_END, Plan, View, controller
from ponder.core.methods.options import Count
from ponder.core.voting.vote import BLIND

__all__ = ["esc"]


@controller("esc", effort=lambda effort: {"n": 5 * (1 + round(11 * effort)), "window": 5}, needs=())
def esc(view: View, plan: Plan, n: Count = 40, window: Count = 5) -> Iterator[None]:
    """Windows of branches until one is unanimous, which decides (Li et al. 2024, arXiv 2401.10480)."""
    start = 0
    while start < n:
        end = min(start + window, n)
        plan.open[0] = end - start
        for b in range(start, end):
            plan.run[b] = TO_END
        yield
        agree = end - start == window and view.answer[start] >= 0
        for b in range(start, end):
            agree = agree and view.answer[b] == view.answer[start]
        if agree:
            plan.answer[0] = view.answer[start]
            return
        if end >= BLIND and view.n_answers[0] == 0:
            return
        start = end
