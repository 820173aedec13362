"""Sample until the vote is settled."""

from __future__ import annotations

from collections.abc import Iterator

from ponder.core.methods.controller import TO_END, Plan, View, controller
from ponder.core.methods.options import Count, Share
from ponder.core.voting.vote import BLIND

__all__ = ["adaptive_consistency"]


@controller(
    "adaptive-consistency",
    effort=lambda effort: {"n": 4 + round(60 * effort), "threshold": 0.80 + 0.18 * effort},
    needs=(),
)
def adaptive_consistency(view: View, plan: Plan, n: Count = 40, threshold: Share = 0.95) -> Iterator[None]:
    """One branch after another until the leading answer is surely the mode (Aggarwal et al. 2023, arXiv 2305.11860)."""
    for b in range(n):
        plan.open[0] = 1
        plan.run[b] = TO_END
        yield
        if view.confidence[0] >= threshold or (b + 1 >= BLIND and view.n_answers[0] == 0):
            return
