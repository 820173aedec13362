"""Sample until the vote is settled."""

from __future__ import annotations

from typing import Literal

from ponder.core.answer import Answer
from ponder.core.branch import Branch
from ponder.core.methods.options import Count, Share
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import is_blind, majority_confidence, vote
from ponder.strategies.dirichlet import dirichlet_confidence

__all__ = ["adaptive_consistency"]


@strategy(
    "adaptive-consistency",
    effort=lambda effort: {"n": 4 + round(60 * effort), "threshold": 0.80 + 0.18 * effort},
)
async def adaptive_consistency(
    s: Session,
    n: Count = 40,
    threshold: Share = 0.95,
    batch: Count = 1,
    criterion: Literal["beta", "dirichlet"] = "beta",
) -> Answer:
    """Sample until the leading answer is surely the mode (Aggarwal et al. 2023, arXiv 2305.11860).

    `batch` samples are drawn at a time: more is faster, and wastes at most ``batch - 1`` of them. Where none of the
    first four has an answer no more are drawn.
    """
    done: list[Branch] = []
    while len(done) < n:
        done += await s.extend(await s.sample(min(batch, n - len(done))))
        confidence = majority_confidence(done) if criterion == "beta" else dirichlet_confidence(done)
        if confidence >= threshold:
            return vote(done, because=f"settled after {len(done)} samples: P(mode) {confidence:.3f} >= {threshold:g}")
        if is_blind(done):
            return vote(done, because=f"none of {len(done)} samples has an answer to vote on")
    return vote(done, because=f"all {n} samples drawn, P(mode) {confidence:.3f} < {threshold:g}")
