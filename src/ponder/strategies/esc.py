"""Stop at the first unanimous window."""

from __future__ import annotations

from ponder.core.answer import Answer
from ponder.core.branch import Branch
from ponder.core.methods.options import Count
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import is_blind, vote

__all__ = ["esc"]


@strategy("esc", effort=lambda effort: {"n": 5 * (1 + round(11 * effort)), "window": 5})
async def esc(s: Session, n: Count = 40, window: Count = 5) -> Answer:
    """Early-stopping self-consistency: windows of samples until one is unanimous (Li et al. 2024, arXiv 2401.10480).

    Where none of the first four samples has an answer no further window is drawn.
    """
    done: list[Branch] = []
    while len(done) < n:
        drawn = await s.extend(await s.sample(min(window, n - len(done))))
        done += drawn
        answers = {branch.answer for branch in drawn}
        if len(drawn) == window and len(answers) == 1 and None not in answers:
            return vote(done, winner=drawn[0], because=f"a window of {window} agreed after {len(done)} samples")
        if is_blind(done):
            return vote(done, because=f"none of {len(done)} samples has an answer to vote on")
    return vote(done, because=f"all {n} samples drawn, no window of {window} agreed")
