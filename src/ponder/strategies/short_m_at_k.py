"""The first to finish decide."""

from __future__ import annotations

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.methods.options import Count
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote

__all__ = ["short_m_at_k"]


@strategy("short-m-at-k", effort=lambda effort: {"k": 16, "m": 1 + round(15 * effort)}, needs={Capability.CANCEL})
async def short_m_at_k(s: Session, m: Count = 3, k: Count = 8) -> Answer:
    """Start k samples, let the first m to finish vote, cancel the rest (Hassid et al. 2025, arXiv 2505.17813).

    A tie goes to the shorter chain, which here is the one that finished first.
    """
    done: list[Branch] = []
    async with s.as_completed(*(s.extend(branch) for branch in await s.sample(k))) as finished:
        async for branch in finished:
            done += [branch] if branch.complete else []
            if len(done) == m:
                break
    return vote(done, because=f"the first {len(done)} of {k} samples finished")
