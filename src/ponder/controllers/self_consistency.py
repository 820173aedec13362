"""Sample, then vote."""

from __future__ import annotations

from collections.abc import Iterator

from ponder.core.methods.controller import TO_END, Plan, View, controller
from ponder.core.methods.options import Count

__all__ = ["self_consistency"]


@controller("self-consistency", effort=lambda effort: {"n": 2 ** round(6 * effort)}, needs=())
def self_consistency(view: View, plan: Plan, n: Count = 16) -> Iterator[None]:
    """The most frequent answer among n branches (Wang et al. 2022, arXiv 2203.11171)."""
    plan.open[0] = n
    for b in range(n):
        plan.run[b] = TO_END
    yield
