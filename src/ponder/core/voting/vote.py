"""From branches to an answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ponder.core.answer import Answer
from ponder.core.branch import Branch

__all__ = ["BLIND", "beta_confidence", "is_blind", "majority_confidence", "pick", "tally", "vote", "vote_by_score"]

Weight = Callable[[Branch], float]

BLIND = 4
"""After so many complete replies of which none has an answer, adaptive methods draw no more: there is nothing that can
be voted on, or every reply is too long. As many as the first that can settle a vote."""


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


def vote(
    branches: Sequence[Branch], weight: Weight = _one, because: str = "", *, winner: Branch | None = None
) -> Answer:
    """The answer with the most weight behind it (Wang et al. 2022, arXiv 2203.11171), or that of `winner`.

    `value` is worded as most of its branches word it.

    `text` is the reply of the heaviest branch that gives it, or of `winner`. `confidence` is the weight behind it as a
    share of what all complete branches could have given it, 1 each, or the largest weight if that is more: one that
    abstains is no support. With negative weights it is None.
    """
    votes = tally(branches, weight)
    if not votes:
        return Answer(value=None, stopped_because=because or "no branch gave an answer")
    if winner is None or winner.answer is None:
        chosen = next(iter(votes))
        winner = max((branch for branch in branches if branch.answer == chosen), key=weight)
    else:
        chosen = winner.answer
        votes = {chosen: votes.get(chosen, 0.0)} | votes
    wording = _wording(branches, chosen)
    support = votes.pop(chosen)
    votes = {wording: support} | votes
    return Answer(
        value=wording,
        text=winner.text,
        confidence=_confidence(support, branches, weight),
        stopped_because=because or f"{sum(branch.complete for branch in branches)} of {len(branches)} samples complete",
        votes=votes,
        branch=winner.id,
    )


def _wording(branches: Sequence[Branch], answer: str) -> str:
    """How most of the branches that give `answer` put it, case aside; of several in plain letters, else the first."""
    said = [answer, *(branch.raw_answer for branch in branches if branch.answer == answer and branch.raw_answer)]
    counts = Counter(one.casefold() for one in said[1:])
    return max(said, key=lambda one: (counts[one.casefold()], one.isascii()))


def _confidence(support: float, branches: Sequence[Branch], weight: Weight) -> float | None:
    weights = [weight(branch) if branch.answer is not None else 0.0 for branch in branches]
    could = max(1.0, *weights) * sum(branch.complete or branch.answer is not None for branch in branches)
    return None if min(weights) < 0 else min(1.0, support / could)


def vote_by_score(branches: Sequence[Branch], because: str = "", *, winner: Branch | None = None) -> Answer:
    """A vote weighted by the verifier's scores.

    Scores are probabilities. If one of them is none, all are taken for rewards: their vote is that of the logistic
    function of them, and `confidence` is None. It is None, too, if an answer was left without a score, which then has
    no weight.
    """
    scores = [branch.score for branch in branches if branch.answer is not None]
    known = [score for score in scores if score is not None]
    if not all(0 <= score <= 1 for score in known):
        return replace(vote(branches, _squashed, because, winner=winner), confidence=None)
    answer = vote(branches, _score, because, winner=winner)
    if known and max(known) < 0.5:
        verdict = f"the verifier takes no answer for right, the best has a score of {max(known):.2f}"
        answer = replace(answer, stopped_because=f"{answer.stopped_because}; {verdict}")
    return answer if len(known) == len(scores) else replace(answer, confidence=None)


def _score(branch: Branch) -> float:
    return branch.score or 0.0


def _squashed(branch: Branch) -> float:
    """The reward in (0, 1), so that more votes are more support."""
    return 0.0 if branch.score is None else 0.5 + 0.5 * math.tanh(branch.score / 2)


def pick(branch: Branch, confidence: float | None = None, because: str = "") -> Answer:
    """The answer of one branch; `confidence` is what the strategy knows of it, None if nothing."""
    votes = {} if branch.answer is None else {branch.answer: 1.0}
    return Answer(
        value=branch.answer, text=branch.text, confidence=confidence, stopped_because=because, votes=votes,
        branch=branch.id,
    )  # fmt: skip


def is_blind(branches: Sequence[Branch]) -> bool:
    """True if it is in vain to draw more: `BLIND` replies are complete, and none of all has an answer."""
    return sum(branch.complete for branch in branches) >= BLIND and all(branch.answer is None for branch in branches)


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
