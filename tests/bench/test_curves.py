"""What an accuracy costs along a curve, and what a cost buys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.bench.curves import accuracy_at, tokens_to_reach

Sweep = list[tuple[float, float]]

settings = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12)
SWEEP = [(100.0, 0.4), (200.0, 0.5), (400.0, 0.9)]


def reach(target: float, sweep: Sweep) -> float:
    tokens, accuracy = np.array(sweep, float).T
    return float(tokens_to_reach(np.array([target]), tokens[None], accuracy[None])[0])


def at(cost: float, sweep: Sweep) -> float:
    tokens, accuracy = np.array(sweep, float).T
    return float(accuracy_at(np.array([cost]), tokens[None], accuracy[None])[0, 0])


def test_between_two_settings_the_cost_is_that_of_tossing_a_coin() -> None:
    assert [reach(target, SWEEP) for target in (0.1, 0.4, 0.45, 0.5, 0.6)] == pytest.approx([100, 100, 150, 200, 250])
    assert reach(0.91, SWEEP) == np.inf
    assert [at(cost, SWEEP) for cost in (50, 100, 150, 250, 9000)] == pytest.approx([0.4, 0.4, 0.45, 0.6, 0.9])


def test_a_setting_that_costs_more_and_gives_less_is_passed_over() -> None:
    sweep = [(300.0, 0.3), (100.0, 0.4), (200.0, 0.2), (500.0, 0.8), (100.0, 0.1)]
    assert reach(0.6, sweep) == pytest.approx(300)
    assert at(300, sweep) == pytest.approx(0.6)


@given(settings, st.floats(0, 6))
def test_more_accuracy_never_costs_less(sweep: Sweep, target: float) -> None:
    assert reach(target, sweep) <= reach(target + 0.5, sweep)


@given(settings, st.floats(0, 6))
def test_what_an_accuracy_costs_buys_that_accuracy(sweep: Sweep, target: float) -> None:
    cost = reach(target, sweep)
    if cost < np.inf:
        assert at(cost, sweep) >= target - 1e-9


@given(st.lists(settings, min_size=2, max_size=4), st.floats(0, 6))
def test_many_draws_at_once_are_each_their_own(sweeps: list[Sweep], target: float) -> None:
    size = min(map(len, sweeps))
    tokens, accuracy = np.moveaxis(np.array([sweep[:size] for sweep in sweeps], float), -1, 0)
    alone = [reach(target, sweep[:size]) for sweep in sweeps]
    assert tokens_to_reach(np.full(len(sweeps), target), tokens, accuracy).tolist() == alone
    assert accuracy_at(np.array([target]), tokens, accuracy)[:, 0].tolist() == [
        at(target, sweep[:size]) for sweep in sweeps
    ]
