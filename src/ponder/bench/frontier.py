"""The Pareto front of accuracy and cost, and the ceilings of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ponder.replay.traces.trace import Trace

__all__ = ["coverage", "majority", "on_front"]


def on_front(cost: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[..., methods] Whether no other method is as accurate for as little, and better in one of the two."""
    import numpy as np

    order = np.lexsort((-accuracy, cost), axis=-1)
    cost = np.take_along_axis(cost, order, -1)
    accuracy = np.take_along_axis(accuracy, order, -1)
    # Methods of equal cost stand together, the most accurate first.
    new = np.concatenate([np.ones_like(cost[..., :1], bool), cost[..., 1:] > cost[..., :-1]], axis=-1)
    first = np.maximum.accumulate(np.where(new, np.arange(cost.shape[-1]), 0), axis=-1)
    best = np.maximum.accumulate(accuracy, axis=-1)
    best_before = np.concatenate([np.full_like(best[..., :1], -np.inf), best[..., :-1]], axis=-1)
    members = accuracy > np.take_along_axis(best_before, first, -1)
    members &= accuracy == np.take_along_axis(accuracy, first, -1)
    found = np.empty_like(members)
    np.put_along_axis(found, order, members, -1)
    return found


def coverage(trace: Trace) -> NDArray[np.float64]:
    """[questions] 1 where the final answer of some branch is right: what a perfect choice among them would get.

    Brown et al. 2024, arXiv 2407.21787.
    """
    finals = trace.finals.reshape(len(trace.questions), trace.branches)
    found: NDArray[np.float64] = (finals == trace.references[:, None]).any(axis=1).astype(float)
    return found


def majority(trace: Trace) -> NDArray[np.float64]:
    """[questions] The chance that the vote over all branches is right: 0 or 1, but a share where answers tie.

    A tie goes to the answer seen first, and in a random order each is as likely to be. Plain voting tends to this
    with more branches; a method that does not count all branches alike may pass it.
    """
    import numpy as np

    finals = trace.finals.reshape(len(trace.questions), trace.branches)
    chances = np.zeros(len(finals))
    for q, (ids, reference) in enumerate(zip(finals, trace.references, strict=True)):
        votes = np.bincount(ids[ids >= 0], minlength=1)
        leaders = np.flatnonzero((votes == votes.max()) & (votes > 0))
        chances[q] = (reference in leaders) / max(len(leaders), 1)
    return chances
