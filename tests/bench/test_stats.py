"""The statistics are those of the textbooks."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from ponder.bench.stats import LEVEL, flip_test, holm, interval, resamples, t_test, tail

QUESTIONS = 30


def intervals(columns: np.ndarray) -> np.ndarray:
    """As a comparison computes them, for the mean of each column."""
    strata = (len(columns),)
    return interval(resamples(strata) @ columns / len(columns), tail(strata))


def test_the_interval_is_scipys_at_the_level_that_hesterberg_gives() -> None:
    rng = np.random.default_rng(1)
    skewed = rng.gamma(0.7, size=QUESTIONS)
    share = tail((QUESTIONS,))
    assert share is not None
    theirs = reference.bootstrap(
        (skewed,), np.mean, n_resamples=20_000, confidence_level=1 - 2 * share, method="percentile", rng=2
    ).confidence_interval
    low, high = intervals(skewed[:, None])[:, 0]
    assert low == pytest.approx(theirs.low, abs=0.02 * (theirs.high - theirs.low))
    assert high == pytest.approx(theirs.high, abs=0.02 * (theirs.high - theirs.low))


def test_the_share_left_out_is_widened_for_few_questions() -> None:
    # Hesterberg 2015: Phi(-sqrt(n / (n - 1)) t(n - 1)), from scipy's distributions instead of its special functions.
    widened = reference.norm.cdf(math.sqrt(10 / 9) * reference.t.ppf(0.025, 9))
    assert tail((10,)) == pytest.approx(widened)
    assert tail((10,)) < tail((1000,)) < 0.025  # type: ignore[operator]
    assert tail((1000,)) == pytest.approx(0.025, abs=5e-4)


@pytest.mark.parametrize("chance", [0.3, 0.5, 0.8])
def test_nineteen_intervals_in_twenty_cover_the_truth(chance: float) -> None:
    worlds = np.random.default_rng(3).binomial(1, chance, (QUESTIONS, 1500)).astype(float)
    low, high = intervals(worlds)
    covered = np.mean((low <= chance) & (chance <= high))
    assert LEVEL - 0.02 <= covered <= LEVEL + 0.02


def test_a_paired_difference_is_known_better_than_its_parts() -> None:
    rng = np.random.default_rng(4)
    hard = rng.uniform(size=QUESTIONS)
    first, second = hard, np.clip(hard + 0.02 + 0.02 * rng.normal(size=QUESTIONS), 0, 1)
    widths = np.diff(intervals(np.stack([first, second, second - first], axis=1)), axis=0)[0]
    assert widths[2] < widths[:2].min() / 5


def test_one_question_and_no_variation_tell_nothing() -> None:
    assert np.isnan(intervals(np.ones((1, 2)))).all()
    assert np.isnan(intervals(np.ones((QUESTIONS, 1)))).all()


def test_strata_are_resampled_within() -> None:
    drawn = resamples((4, 6), draws=50)
    assert (drawn[:, :4].sum(axis=1) == 4).all()
    assert (drawn[:, 4:].sum(axis=1) == 6).all()
    two_levels = np.array([0.0] * 4 + [1.0] * 6)[:, None]
    assert np.ptp(drawn @ two_levels) == 0


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_the_flip_test_counts_sign_patterns(differences: list[int]) -> None:
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    exact = float(np.mean([total >= sum(differences) for total in sums]))
    p = flip_test(np.array(differences, float)[:, None])[0]
    if sum(differences) <= 0:
        assert p == 1
    else:
        assert p == pytest.approx(exact, rel=0.4)


def test_of_several_measures_the_worst_counts() -> None:
    sure, unsure = np.ones((10, 1)), np.array([[1.0]] * 6 + [[-1.0]] * 4)
    assert flip_test(sure, unsure) == pytest.approx(flip_test(unsure), rel=0.2)
    assert flip_test(sure, -sure) == [1.0]


def test_the_t_test_is_students_for_a_mean() -> None:
    sample = np.random.default_rng(6).normal(0.3, 1, QUESTIONS)
    drawn = resamples((QUESTIONS,)) @ sample / QUESTIONS
    assert t_test(sample.mean(), drawn, (QUESTIONS,)) == pytest.approx(reference.ttest_1samp(sample, 0).pvalue, rel=0.1)
    assert t_test(0.5, np.full(100, 0.5), (QUESTIONS,)) == 1
    assert t_test(0.5, np.arange(10.0), (1, 1)) == 1


def test_a_small_p_gets_more_patterns() -> None:
    p = flip_test(np.stack([np.ones(15), [1.0] * 3 + [0.0] * 12], axis=1))
    assert 2**-17 < p[0] < 2**-13
    assert p[1] == pytest.approx(2**-3, rel=0.3)


def test_without_a_difference_p_is_uniform() -> None:
    noise = np.random.default_rng(5).normal(size=(QUESTIONS, 1000))
    p = flip_test(noise)
    for level in (0.01, 0.05, 0.2):
        assert np.mean(p <= level) == pytest.approx(level, abs=3 * math.sqrt(level * (1 - level) / 1000))


def test_holm_by_hand() -> None:
    # Holm 1979: 4 * 0.01, then 3 * 0.02, then 2 * 0.03 and 1 * 0.04, each at least the one before.
    assert holm(np.array([0.03, 0.01, 0.04, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.01]), tests=7) == pytest.approx([0.07])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1, 1])
