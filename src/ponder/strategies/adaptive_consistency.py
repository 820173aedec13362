"""Sample until the vote is settled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from ponder.core.answer import Answer
from ponder.core.branch import Branch
from ponder.core.options import Count, Share
from ponder.core.registry import strategy
from ponder.core.session import Session
from ponder.core.voting import majority_confidence, tally, vote

__all__ = ["adaptive_consistency", "dirichlet_confidence"]

DRAWS = 10_000


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

    `batch` samples are drawn at a time: more is faster, and wastes at most ``batch - 1`` of them.
    """
    done: list[Branch] = []
    while len(done) < n:
        done += await s.extend(await s.sample(min(batch, n - len(done))))
        confidence = majority_confidence(done) if criterion == "beta" else dirichlet_confidence(done, s.rng)
        if confidence >= threshold:
            return vote(done, because=f"settled after {len(done)} samples: P(mode) {confidence:.3f} >= {threshold:g}")
    return vote(done, because=f"all {n} samples drawn, P(mode) {confidence:.3f} < {threshold:g}")


def dirichlet_confidence(branches: Sequence[Branch], rng: random.Random) -> float:
    """P(the leading answer is the likeliest) for Dirichlet(counts + 1) over the five largest counts, by Monte Carlo.

    With fewer than three distinct answers it is the Beta criterion, as published.
    """
    counts = [count for count in list(tally(branches).values())[:5]]
    if len(counts) < 3:
        return majority_confidence(branches)
    wins = 0
    for _ in range(DRAWS):
        # A Dirichlet draw is a vector of Gamma draws up to a factor, which does not change which one is largest.
        leader, *others = (rng.gammavariate(count + 1, 1.0) for count in counts)
        wins += leader > max(others)
    return wins / DRAWS
