"""Waves of branches, in each of which the first to finish vote."""

from __future__ import annotations

from collections.abc import Iterator

from ponder.core.methods.controller import Plan, View, controller
from ponder.core.methods.options import Count

__all__ = ["short_waves"]


@controller("short-waves", effort=lambda effort: {"n": 16 + round(112 * effort), "lead": 1 + round(3 * effort)})
def short_waves(view: View, plan: Plan, n: Count = 64, k: Count = 8, m: Count = 2, lead: Count = 3) -> Iterator[None]:
    """Waves of k branches in lock step, of which the first m to finish vote, until one answer leads by so many votes.

    Ours. It joins the observation that the shorter branches are right more often (short-m@k, Hassid et al. 2025,
    arXiv 2505.17813) with a sequential test on the votes: an easy question ends in its first wave, a hard one gets up
    to n branches, and the long tail of a wave is never paid for. It asks for no probes.
    """
    while view.n_opened[0] < n:
        first, size = view.n_opened[0], min(k, n - view.n_opened[0])
        enough = view.n_finished[0] + min(m, size)
        plan.open[0] = size
        while view.n_finished[0] < enough:
            for b in range(first, first + size):
                if not view.finished[b]:
                    plan.run[b] = 1
            yield
            if view.top[0] - view.top[1] >= lead:
                return
        live = False
        for b in range(first, first + size):
            if not view.finished[b]:
                plan.prune[b] = 1
                live = True
        if live:
            yield
