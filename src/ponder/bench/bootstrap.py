"""The means of all methods, as seen and as resampled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ponder.bench.measure import Rows
from ponder.bench.stats import interval, resamples, tail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["COSTS", "Bootstrap", "Estimate", "known"]

COSTS = {"tokens": 1, "sequential": 2}
"""Money and latency, and where they stand in `Rows.values`."""


class Estimate(NamedTuple):
    """A value with its 95 % interval; NaN where an end is unknown, infinite where no cost is enough."""

    value: float
    low: float
    high: float


def known(estimate: Estimate) -> bool:
    """Whether its interval says anything."""
    return not math.isnan(estimate.low)


class Bootstrap:
    """One paired bootstrap over questions, from which everything else is computed."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.weights = resamples(rows.strata)
        self._share = tail(rows.strata)
        self.seen: NDArray[np.float64] = rows.values.sum(axis=1)
        """[3, M] As in `MEASURES`."""
        self.drawn: NDArray[np.float64] = self.weights @ rows.values
        """[3, draws, M]"""

    def ends(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """[2, ...] The interval of each column of ``[draws, ...]``."""
        return interval(drawn, self._share)

    def estimate(self, seen: Any, drawn: NDArray[np.float64]) -> Estimate:
        """One number with its interval."""
        low, high = self.ends(drawn)
        return Estimate(float(seen), float(low), float(high))

    def mean(self, column: NDArray[np.float64]) -> Estimate:
        """The sum of one column of the rows."""
        return self.estimate(column.sum(), self.weights @ column)
