"""From branches to an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from ponder.core.answer import Answer
from ponder.core.branch import Branch

__all__ = ["beta_confidence", "majority_confidence", "pick", "tally", "vote"]

Weight = Callable[[Branch], float]


def _one(branch: Branch) -> float:
    return 1.0


def tally(branches: Iterable[Branch], weight: Weight = _one) -> dict[str, float]:
    """The weight behind each answer, heaviest first; ties stay in the order of first appearance.

    Branches without an answer abstain.
    """
    votes: dict[str, float] = {}
    for branch in branches:
        if branch.answer is not None:
            votes[branch.answer] = votes.get(branch.answer, 0.0) + weight(branch)
    return dict(sorted(votes.items(), key=lambda item: -item[1]))


def vote(branches: Sequence[Branch], weight: Weight = _one, because: str = "") -> Answer:
    """The answer with the most weight behind it (Wang et al. 2022, arXiv 2203.11171).

    `text` is the reply of the heaviest branch that gives it. `confidence` is its share of the weight of all complete
    branches: one that abstains is no support.
    """
    votes = tally(branches, weight)
    if not votes:
        return Answer(value=None, stopped_because=because or "no branch gave an answer")
    winner = next(iter(votes))
    total = sum(weight(branch) for branch in branches if branch.complete or branch.answer is not None)
    spokesman = max((branch for branch in branches if branch.answer == winner), key=weight)
    return Answer(
        value=winner,
        text=spokesman.text,
        confidence=votes[winner] / total if total else None,
        stopped_because=because or f"{sum(branch.complete for branch in branches)} of {len(branches)} samples complete",
        votes=votes,
        branch=spokesman.id,
    )


def pick(branch: Branch, confidence: float | None = None, because: str = "") -> Answer:
    """The answer of one branch."""
    votes = {} if branch.answer is None else {branch.answer: 1.0}
    return Answer(
        value=branch.answer, text=branch.text, confidence=confidence, stopped_because=because, votes=votes,
        branch=branch.id,
    )  # fmt: skip


def beta_confidence(first: int, second: int) -> float:
    """P(p > 1/2) for p ~ Beta(first + 1, second + 1): is the leading answer truly ahead of the runner-up?

    Aggarwal et al. 2023, arXiv 2305.11860; computed as a binomial sum, exactly.
    """
    n = first + second + 1
    return float(sum(math.comb(n, j) for j in range(first + 1)) / 2**n)


def majority_confidence(branches: Iterable[Branch]) -> float:
    """`beta_confidence` of the two leading answers; 0 when there is none."""
    counts = [round(count) for count in tally(branches).values()]
    return beta_confidence(counts[0], counts[1] if len(counts) > 1 else 0) if counts else 0.0
