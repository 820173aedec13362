"""Ordinary strategies on recorded traces: the same episodes as the controllers of their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import GENERATED, INTERVAL, QWEN, branch, questions, recorded, trace

import ponder.controllers
import ponder.strategies  # noqa: F401 - both register theirs
from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.errors import MissingCapability, TooFewBranches
from ponder.core.methods.registry import Plan, registered
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.replay.play.methods import methods
from ponder.replay.play.strategies import drive_all
from ponder.replay.traces.trace import Trace

BOTH = ("adaptive-consistency(n=40)", "adaptive-consistency@0", "self-consistency(n=16)", "esc(n=64,window=8)")


def assert_same(recorded: Trace, spec: str, **how: Any) -> None:
    [controller], [program] = methods(spec), methods(f"strategy:{spec}")
    one, other = controller.play(recorded, **how), program.play(recorded, **how)
    for column in ("answers", "correct", "tokens", "sequential", "opened"):
        assert (getattr(one, column) == getattr(other, column)).all(), column


@pytest.mark.parametrize(("name", "orders"), [(GENERATED, 10), (QWEN[3], 20)])
def test_adaptive_consistency_is_the_same_through_both_doors_in_every_episode(name: str, orders: int) -> None:
    assert_same(recorded(name), "adaptive-consistency(n=64,threshold=0.95)", orders=orders)


@pytest.mark.parametrize("name", [GENERATED, QWEN[0]])
@pytest.mark.parametrize("spec", BOTH[2:])
def test_so_are_the_others_that_have_both(spec: str, name: str) -> None:
    assert_same(recorded(name), spec, orders=2)


@settings(max_examples=15)
@given(branches=questions, orders=st.integers(1, 3))
@pytest.mark.parametrize("spec", BOTH)
def test_on_any_trace(spec: str, branches: list[Any], orders: int) -> None:
    assert_same(trace(*branches), spec, orders=orders, interpreted=True)


@pytest.mark.parametrize("spec", ["adaptive-consistency(n=12)", "esc(n=12,window=4)", "esc(n=12,window=2)"])
@pytest.mark.parametrize("interpreted", [True, False])
def test_neither_draws_in_vain_where_the_first_have_no_answer(spec: str, interpreted: bool) -> None:
    silent = [branch("", 9, None)] * 10
    assert_same(trace(*silent, *[branch("", 9, "A")] * 2), spec, orders=20, interpreted=interpreted)
    [controller] = methods(spec)
    assert controller.play(trace(*silent, *silent), orders=1, interpreted=interpreted).opened.max() == 4


def own(program: Any) -> Plan:
    """The strategy of this program, which is not registered."""
    known = registered()["single"]
    return replace(known, name=program.__name__, program=program).plan()


async def probing(s: Session) -> Answer:
    """Three branches, interval by interval; the one that is alone is pruned."""
    branches = await s.sample(3)
    while True:
        branches = await s.extend(branches, tokens=INTERVAL)
        live = [one for one in branches if one.live]
        if not live:
            return vote(branches)
        answers = await s.probe(live)
        alone = [one for one, answer in zip(live, answers, strict=True) if answers.count(answer) == 1]
        if alone and len(live) > 1:
            await s.prune(alone[0])
            branches = [one for one in branches if one.id != alone[0].id]


def test_extend_probe_and_prune_run_on_a_trace_with_the_same_ledger() -> None:
    recorded = trace(branch("AAA", 35, "A"), branch("AA", 25, "A"), branch("CCC", 35, "C"))
    run = drive_all(recorded, own(probing), orders=6, probe_cost=2)
    # C is pruned after its first interval; six probes at 2 tokens, in three rounds.
    assert run.tokens.tolist() == [[35 + 25 + 10 + 6 * 2] * 6]
    assert run.sequential.tolist() == [[35 + 3 * 2] * 6]
    assert run.correct.all()


def test_what_was_not_recorded_is_refused() -> None:
    async def between(s: Session) -> Answer:
        [one] = await s.extend(await s.sample(1), tokens=INTERVAL + 3)
        await s.probe(one)
        return vote([one])

    async def steps(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(1), until="step"))

    async def forks(s: Session) -> Answer:
        [one] = await s.extend(await s.sample(1), tokens=INTERVAL)
        return vote(await s.extend(await s.fork(one, 2)))

    recorded = trace(branch("AAA", 35, "A"), branch("AB", 25, "B"))
    for program, words in (
        (between, "no record of a probe at 13 tokens of a branch; the nearest one is at 10"),
        (steps, "no record of where a step ends"),
        (forks, "no record of forks"),
    ):
        with pytest.raises(MissingCapability, match=words):
            drive_all(recorded, own(program), orders=1)
    with pytest.raises(TooFewBranches, match="the record has 2 branches; the strategy asks for more"):
        drive_all(recorded, methods("strategy:self-consistency(n=3)")[0].plan, orders=1)  # type: ignore[arg-type]


def test_a_budget_holds_in_every_episode() -> None:
    recorded = trace(*[branch("AA", 25, "A")] * 8)
    [method] = methods("strategy:self-consistency(n=8)")
    run = method.play(recorded, orders=3, budget=Budget(tokens=60))
    assert run.tokens.tolist() == [[50, 50, 50]]
    assert run.correct.all()
