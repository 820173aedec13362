"""Sample, then vote."""

from __future__ import annotations

import math
from typing import Literal

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.methods.options import Count
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote, vote_by_score

__all__ = ["probability", "self_consistency"]

Weight = Literal["none", "logprob", "verifier"]


@strategy(
    "self-consistency",
    effort=lambda effort: {"n": 2 ** round(6 * effort)},
    needs=lambda options: {Capability.LOGPROBS} if options["weight"] == "logprob" else (),
    verifier=lambda options: options["weight"] == "verifier",
)
async def self_consistency(s: Session, n: Count = 16, weight: Weight = "none") -> Answer:
    """The most frequent answer among n samples (Wang et al. 2022, arXiv 2203.11171).

    `weight` counts a vote by ``exp(mean log-probability)`` of its tokens, or by the verifier's score, not by one.
    """
    branches = await s.extend(await s.sample(n))
    if weight == "verifier":
        return vote_by_score(await s.score(branches))
    return vote(branches, probability) if weight == "logprob" else vote(branches)


def probability(branch: Branch) -> float:
    """The geometric mean of the token probabilities; 0 if they are not known."""
    return 0.0 if branch.logprob is None else math.exp(branch.logprob)
