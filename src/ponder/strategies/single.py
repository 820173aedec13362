"""One pass: the baseline."""

from __future__ import annotations

from ponder.core.answer import Answer
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import pick

__all__ = ["single"]


@strategy("single")
async def single(s: Session) -> Answer:
    """One reply, as it comes (Wei et al. 2022, arXiv 2201.11903)."""
    [branch] = await s.extend(await s.sample(1))
    return pick(branch, because="one sample drawn")
