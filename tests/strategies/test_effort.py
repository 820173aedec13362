"""More effort never spends less, whatever the samples."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import recorded_samples, run

import ponder.strategies
from ponder.core.methods.registry import registered
from ponder.replay.play.recorded_branches import Recorded

efforts = st.floats(0, 1)


@pytest.mark.parametrize("name", sorted(set(registered()) & set(ponder.strategies.SHIPPED)))
@settings(max_examples=40)
@given(low=efforts, high=efforts, recorded=recorded_samples)
def test_more_effort_never_spends_less(name: str, low: float, high: float, recorded: list[Recorded]) -> None:
    low, high = sorted((low, high))
    cheap, dear = run(f"{name}@{low}", recorded), run(f"{name}@{high}", recorded)
    assert cheap.bill.total_tokens <= dear.bill.total_tokens


@settings(max_examples=25)
@given(recorded=recorded_samples)
def test_renaming_the_answers_changes_nothing_but_their_names(recorded: list[Recorded]) -> None:
    names = {"A": "q", "B": "p", "C": "z", None: None}
    renamed = [Recorded(names[sample.answer], sample.tokens, score=sample.score) for sample in recorded]
    for name in ponder.strategies.SHIPPED:
        first, second = run(name, recorded), run(name, renamed)
        assert names[first.value] == second.value
        assert first.bill == second.bill
