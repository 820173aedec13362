"""What a method spec stands for."""

from __future__ import annotations

import pytest
from worlds import branch, trace

import ponder.controllers
import ponder.strategies  # noqa: F401 - registers them
from ponder.core.errors import InvalidOption, UnknownName
from ponder.core.methods.controller import ControllerPlan
from ponder.replay.play.conditions import orders_of
from ponder.replay.play.methods import methods
from ponder.replay.play.sweeps import MOST_METHODS, expand


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("cmc@0:1:0.25", ["cmc@0", "cmc@0.25", "cmc@0.5", "cmc@0.75", "cmc@1"]),
        ("cmc@1:0:-0.5", ["cmc@1", "cmc@0.5", "cmc@0"]),
        ("lead(n=8:24:8, m=3)", ["lead(n=8, m=3)", "lead(n=16, m=3)", "lead(n=24, m=3)"]),
        ("lead(n=8:9:1,m=1:2:1)", ["lead(n=8,m=1)", "lead(n=8,m=2)", "lead(n=9,m=1)", "lead(n=9,m=2)"]),
        ("./mine.py:one@0:1:1", ["./mine.py:one@0", "./mine.py:one@1"]),
        ("strategy:esc", ["strategy:esc"]),
        ("cmc@3:3:1", ["cmc@3"]),
    ],
)
def test_a_range_stands_for_every_step_with_both_ends(spec: str, expected: list[str]) -> None:
    assert expand(spec) == expected


def test_steps_are_exact() -> None:
    assert expand("cmc@0:1:0.05") == [f"cmc@{i * 5 / 100:g}" for i in range(21)]
    assert [method.settings["threshold"] for method in methods("adaptive-consistency(threshold=0.7:0.9:0.1)")] == [
        0.7,
        0.8,
        0.9,
    ]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("cmc@0:1:0.3", "steps of 0.3 from 0 pass 1"),
        ("cmc@0:1:0", "steps of 0 never lead from 0 to 1"),
        ("cmc@0:1:-0.1", "never lead from 0 to 1"),
        ("cmc@0:1:1e-9", f"1,000,000,001 settings, more than {MOST_METHODS:,}"),
        ("lead(n=1:4096:1,m=1:9:1)", f"36,864 settings, more than {MOST_METHODS:,}"),
        ("cmc@0:2:1", "effort 2 must lie between 0 and 1"),
        ("cmc@0:1", "'0:1' is not a number"),
        ("lead(m=1:3)", "m=1:3 is not a whole number"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(spec: str, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        methods(spec)
    assert words in str(caught.value)


def test_a_controller_comes_before_a_strategy_of_the_same_name() -> None:
    [controller], [strategy], [only] = methods("esc"), methods("strategy:esc"), methods("single")
    assert isinstance(controller.plan, ControllerPlan)
    assert not isinstance(strategy.plan, ControllerPlan)
    assert (controller.name, strategy.name, only.name) == ("esc", "esc", "single")
    with pytest.raises(UnknownName, match="unknown method 'strategy:esk'; did you mean 'strategy:esc'"):
        methods("strategy:esk")


@pytest.mark.parametrize("name", ["python", "pcg64"])
def test_more_orders_begin_with_the_same_ones(name: str) -> None:
    many, few = orders_of(name, 50, 20), orders_of(name, 50, 7)
    assert (many[:7] == few).all()
    assert (many != many[0]).any()
    assert sorted(many[19].tolist()) == list(range(50))


def test_what_probes_cost_is_as_measured_unless_it_is_said() -> None:
    from dataclasses import replace

    import numpy as np

    recorded = trace(branch("AAA", 35, "A"))
    measured = replace(recorded, probe_costs=np.array([2, 3, 4], np.int32))
    [cmc] = methods("cmc@0(start=1,n=1)")

    def tokens(recorded: object, **how: int) -> int:
        return int(cmc.play(recorded, orders=1, interpreted=True, **how).tokens[0, 0])  # type: ignore[arg-type]

    assert tokens(recorded) == tokens(measured, probe_cost=0) == 35
    assert tokens(measured) == 35 + 3 * 3
