"""Sample, score, select."""

from __future__ import annotations

from typing import Literal

from ponder.core.answer import Answer
from ponder.core.methods.options import Count
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote_by_score

__all__ = ["best_of_n"]


@strategy("best-of-n", effort=lambda effort: {"n": 2 ** round(6 * effort)}, verifier=True)
async def best_of_n(s: Session, n: Count = 8, select: Literal["naive", "weighted"] = "weighted") -> Answer:
    """The answer that the verifier likes best among n samples.

    `naive` takes the sample with the highest score (Cobbe et al. 2021, arXiv 2110.14168); `weighted` the answer with
    the highest sum of scores (Li et al. 2022, arXiv 2206.02336), which is safer with a noisy verifier.
    """
    branches = await s.score(await s.extend(await s.sample(n)))
    if select == "weighted":
        return vote_by_score(branches)
    scored = [branch for branch in branches if branch.answer is not None and branch.score is not None]
    if not scored:
        return vote_by_score(branches)
    best = max(scored, key=lambda branch: branch.score or 0.0)
    return vote_by_score(branches, f"the best of {len(scored)} scored samples", winner=best)
