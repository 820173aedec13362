"""Paired statistics over questions: bootstrap intervals, sign-flip tests, correction for many tests.

A row is a question, a column whatever was measured on it, already averaged over the orders of its branches. Questions
are what a benchmark has drawn from the world; orders only repeat the same question, and resampling them would make
every interval too narrow. All columns share the same resamples, so that differences and ratios of means are paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DRAWS", "LEVEL", "flip_test", "holm", "interval", "resamples", "t_test", "tail"]

DRAWS = 10_000
"""Resamples of the questions."""

LEVEL = 0.95

SEED = 0

FLIPS = 2_000
"""Sign patterns tried first; each further round doubles what was tried."""

MOST_FLIPS = 200_000
"""Enough for thousands of tests: the smallest p that this can show is half a hundred-thousandth."""

ENOUGH = 100
"""So many patterns as extreme as what was seen, and p is known well enough (Besag & Clifford 1991)."""


def resamples(strata: Sequence[int], draws: int = DRAWS) -> NDArray[np.float64]:
    """[draws, sum(strata)] How often each question is drawn, within each stratum as often as it has questions.

    The bootstrap of Efron (1979), stratified: a question is only replaced by one of its own stratum.
    """
    import numpy as np

    rng = np.random.default_rng(SEED)
    return np.hstack([rng.multinomial(size, np.full(size, 1 / size), size=draws) for size in strata]).astype(float)


def tail(strata: Sequence[int], level: float = LEVEL) -> float | None:
    """The share of resamples to leave out at each end; None where no stratum has two questions.

    Percentile intervals of few questions are too narrow, by a factor of sqrt((n - 1) / n) because the bootstrap divides
    by n, and because it knows nothing of Student's t. This is the expanded percentile interval of Hesterberg (2015,
    "What Teachers Should Know About the Bootstrap"), with n less the number of strata as degrees of freedom.
    """
    from scipy import special  # type: ignore[import-untyped]

    questions, free = sum(strata), sum(strata) - len(strata)
    if free < 1:
        return None
    return float(special.ndtr(math.sqrt(questions / free) * special.stdtrit(free, (1 - level) / 2)))


def interval(drawn: NDArray[np.float64], share: float | None) -> NDArray[np.float64]:
    """[2, ...] The lower and upper end for each column of ``[draws, ...]``, leaving out this share at each end.

    NaN where nothing is known: with one question, or where all questions came out alike, for resampling cannot show
    what was never seen. Infinite draws, as of tokens that are never enough, stay infinite.
    """
    import numpy as np

    if share is None:
        return np.full((2, *drawn.shape[1:]), np.nan)
    # Neighbours, not their mean, which is no number between a finite and an infinite draw.
    ends = np.stack(
        [np.quantile(drawn, share, axis=0, method="lower"), np.quantile(drawn, 1 - share, axis=0, method="higher")]
    )
    alike = np.isclose(drawn.min(axis=0), drawn.max(axis=0), rtol=1e-12, atol=1e-12)
    return np.where(alike, np.nan, ends)


def t_test(seen: float, drawn: NDArray[np.float64], strata: Sequence[int]) -> float:
    """The two-sided p value of the hypothesis that a statistic with these resamples, [draws], is truly zero.

    Student's t with the bootstrap's standard error (Efron & Tibshirani 1993, chapter 12), widened as in `tail`; 1 where
    nothing is known.
    """
    from scipy import special

    questions, free = sum(strata), sum(strata) - len(strata)
    if free < 1 or math.isclose(drawn.min(), drawn.max(), rel_tol=1e-12, abs_tol=1e-12):
        return 1.0
    error = float(drawn.std()) * math.sqrt(questions / free)
    return float(2 * special.stdtr(free, -abs(seen) / error))


def flip_test(*differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """[pairs] One-sided p values of the hypothesis that not all of these mean differences are above zero.

    Each of `differences` is [questions, pairs]. Fisher's (1935) randomisation test of paired data: if two methods do
    not differ, each question's difference might as well have the other sign. Random sign patterns, with what was seen
    counted among them, so that p is never 0 (Phipson & Smyth 2010); more of them for the pairs whose p is small. Of
    several measures the largest p counts, for all must be above zero (the intersection-union test of Berger 1982).
    """
    import numpy as np

    rng = np.random.default_rng(SEED)
    seen = np.stack([one.sum(axis=0) for one in differences])
    # What was seen must count as at least as extreme as itself, whatever the rounding of a sum in another order.
    bars = seen - 1e-9 * np.stack([np.abs(one).sum(axis=0) for one in differences])
    hits, p = np.ones(seen.shape), np.ones(seen.shape[1])
    unsure, tried, turn = np.flatnonzero((seen > 0).all(axis=0)), 1, FLIPS
    while len(unsure) and tried < MOST_FLIPS:
        for _ in range(turn // FLIPS):
            signs = rng.integers(0, 2, (FLIPS, len(differences[0]))) * 2.0 - 1.0
            for i, one in enumerate(differences):
                hits[i, unsure] += (signs @ one[:, unsure] >= bars[i, unsure]).sum(axis=0)
        tried += turn
        turn = tried - 1
        p[unsure] = hits[:, unsure].max(axis=0) / tried
        unsure = unsure[hits[:, unsure].max(axis=0) < ENOUGH]
    return p


def holm(p: NDArray[np.float64], tests: int | None = None) -> NDArray[np.float64]:
    """[tests] Adjusted p values: all below 0.05 may be believed together with an error of 0.05 (Holm 1979).

    Valid however the tests depend on each other. `tests` is how many were made, if more than the p values given; those
    left out count as 1.
    """
    import numpy as np

    order = np.argsort(p, kind="stable")
    factors = np.maximum((tests or len(p)) - np.arange(len(p)), 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted
