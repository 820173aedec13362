"""One knob: more effort never means less."""

from __future__ import annotations

from itertools import pairwise

import pytest
from worlds import GENERATED, QWEN, recorded

import ponder.controllers
from ponder.core.methods.controller import registered_controllers
from ponder.replay.play.methods import methods

# With more effort CMC is harder to convince: it smooths more and allows the confidence less slack (Zheng et al. 2026).
FALLING = {"cmc": {"alpha", "slack", "trend"}}


@pytest.mark.parametrize("name", ponder.controllers.SHIPPED)
def test_every_option_goes_one_way(name: str) -> None:
    plans = [registered_controllers()[name].plan(i / 100) for i in range(101)]
    moving = set()
    for option in plans[0].values:
        values = [plan.values[option] for plan in plans]
        sign = -1 if option in FALLING.get(name, ()) else 1
        assert all(sign * later >= sign * earlier for earlier, later in pairwise(values)), option
        moving |= {option} if values[0] != values[-1] else set()
    assert moving


@pytest.mark.parametrize("name", ponder.controllers.SHIPPED)
@pytest.mark.parametrize("trace", [GENERATED, QWEN[2]])
def test_mean_tokens_grow(name: str, trace: str) -> None:
    tokens = [method.play(recorded(trace), orders=20).tokens.mean() for method in methods(f"{name}@0:1:0.1")]
    assert all(later >= earlier for earlier, later in pairwise(tokens))
    assert tokens[-1] > 1.5 * tokens[0]
