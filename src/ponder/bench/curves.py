"""The settings of one method as a curve of accuracy over cost.

A curve is its settings on the Pareto front and the straight lines between neighbours, which are what one gets by
tossing a coin between the two settings, question by question; to the right of the last it is flat. All functions work
on many resamples at once: `tokens` and `accuracy` are [draws, settings].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["accuracy_at", "tokens_to_reach"]


class _Curve(NamedTuple):
    """[draws, settings], the cheapest first."""

    tokens: NDArray[np.float64]
    best: NDArray[np.float64]
    """The highest accuracy so far."""
    holder: NDArray[np.int64]
    """Which setting reached it first."""
    following: NDArray[np.int64]
    """The next setting that is better; the number of settings if there is none."""


def _curve(tokens: NDArray[np.float64], accuracy: NDArray[np.float64]) -> _Curve:
    import numpy as np

    order = np.lexsort((-accuracy, tokens), axis=-1)
    tokens = np.take_along_axis(tokens, order, -1)
    best = np.maximum.accumulate(np.take_along_axis(accuracy, order, -1), axis=-1)
    size = tokens.shape[-1]
    better = np.concatenate([np.ones_like(best[:, :1], bool), best[:, 1:] > best[:, :-1]], axis=-1)
    holder = np.maximum.accumulate(np.where(better, np.arange(size), 0), axis=-1)
    from_here = np.minimum.accumulate(np.where(better, np.arange(size), size)[:, ::-1], axis=-1)[:, ::-1]
    following = np.concatenate([from_here[:, 1:], np.full_like(from_here[:, :1], size)], axis=-1)
    return _Curve(tokens, best, holder, following)


def tokens_to_reach(
    target: NDArray[np.float64], tokens: NDArray[np.float64], accuracy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[draws] What the accuracy `target`, [draws], costs along the curve; infinite if it is not reached.

    Whatever the cheapest setting reaches costs as much as that.
    """
    import numpy as np

    curve = _curve(tokens, accuracy)
    reached = curve.best >= target[:, None] - 1e-12
    after = reached.argmax(axis=-1)
    rows = np.arange(len(tokens))
    before = curve.holder[rows, np.maximum(after - 1, 0)]
    low, high = curve.best[rows, before], curve.best[rows, after]
    share = np.clip((target - low) / np.where(high > low, high - low, 1), 0, 1)
    cost = curve.tokens[rows, before] + share * (curve.tokens[rows, after] - curve.tokens[rows, before])
    return np.where(reached.any(axis=-1), np.where(after == 0, curve.tokens[:, 0], cost), np.inf)


def accuracy_at(
    costs: NDArray[np.float64], tokens: NDArray[np.float64], accuracy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[draws, costs] The accuracy of the curve at each of `costs`; below its cheapest setting that of the cheapest."""
    import numpy as np

    curve = _curve(tokens, accuracy)
    size = tokens.shape[-1]
    rows = np.arange(len(tokens))
    found = np.empty((len(tokens), len(costs)))
    for i, cost in enumerate(costs):
        left = np.maximum((curve.tokens <= cost).sum(axis=-1) - 1, 0)
        right = np.minimum(curve.following[rows, left], size - 1)
        before = curve.holder[rows, left]
        start, end = curve.tokens[rows, before], curve.tokens[rows, right]
        rise = curve.best[rows, right] - curve.best[rows, before]
        share = np.clip((cost - start) / np.where(end > start, end - start, 1), 0, 1)
        found[:, i] = curve.best[rows, before] + share * rise
    return found
