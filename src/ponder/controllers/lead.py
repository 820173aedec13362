"""A sequential test on the two leading answers."""

from __future__ import annotations

from collections.abc import Iterator

from ponder.core.methods.controller import TO_END, Plan, View, controller
from ponder.core.methods.options import Count

__all__ = ["lead"]


@controller("lead", effort=lambda effort: {"n": 4 + round(60 * effort), "m": 1 + round(9 * effort)}, needs=())
def lead(view: View, plan: Plan, n: Count = 64, m: Count = 3) -> Iterator[None]:
    """One branch after another until one answer leads by m votes.

    Of the two leading answers it picks the less likely one with probability 1 / (1 + r^m), where r is the ratio of
    their probabilities. The sequential probability ratio test of Lee et al. 2025 (arXiv 2503.17587) with the settings
    published there comes to m = 3.
    """
    for b in range(n):
        plan.open[0] = 1
        plan.run[b] = TO_END
        yield
        if view.top[0] - view.top[1] >= m:
            return
