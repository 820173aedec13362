"""Accuracy against cost: who is on the Pareto front, what an accuracy costs along one, and what no vote can pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ponder.replay.trace import Trace

__all__ = ["coverage", "majority", "on_front", "tokens_to_reach"]


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


def tokens_to_reach(
    target: NDArray[np.float64], tokens: NDArray[np.float64], accuracy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[draws] What the accuracy `target`, [draws], costs along the front of one sweep; infinite if it is not reached.

    `tokens` and `accuracy` are [draws, settings]. Between two neighbours on the front the line is straight, which is
    what one gets by tossing a coin between the two settings, question by question. Below the first it is the first.
    """
    import numpy as np

    order = np.argsort(tokens, axis=-1, kind="stable")
    tokens = np.take_along_axis(tokens, order, -1)
    best = np.maximum.accumulate(np.take_along_axis(accuracy, order, -1), axis=-1)
    reached = best >= target[:, None] - 1e-12
    after = reached.argmax(axis=-1)
    rows = np.arange(len(tokens))
    # The cheapest setting with the best accuracy so far, which is the neighbour on the front.
    improved = np.concatenate([np.ones_like(reached[:, :1]), best[:, 1:] > best[:, :-1]], axis=-1)
    holder = np.maximum.accumulate(np.where(improved, np.arange(tokens.shape[-1]), 0), axis=-1)
    before = holder[rows, np.maximum(after - 1, 0)]
    low, high = best[rows, before], best[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, (target - low) / (high - low), 1.0)
    found = tokens[rows, before] + share * (tokens[rows, after] - tokens[rows, before])
    found = np.where(after == 0, tokens[:, 0], found)
    return np.where(reached.any(axis=-1), found, np.inf)


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
