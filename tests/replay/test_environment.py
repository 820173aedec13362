"""The plane: what an action shows, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as changed
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import BRANCHES, KINDS, SHIPPED, branch, questions, renamed, trace

from ponder.core.errors import InvalidOption, StrategyError, TooFewBranches
from ponder.core.methods.controller import TO_END, ControllerPlan, Plan, View, parse_controller
from ponder.core.methods.plane import decide
from ponder.replay.plane.arrays import furnish, tables
from ponder.replay.plane.rounds import begin, carry_out, play
from ponder.replay.play.conditions import python_orders
from ponder.replay.play.controllers import replay
from ponder.replay.traces.trace import Trace


def watched(recorded: Trace, plan: ControllerPlan) -> tuple[list[Any], int, int]:
    """Every action of the controller, its answer as it knows it, and what it spent."""
    view, plans, books = furnish(recorded, lists=True)
    data = tables(recorded, python_orders(recorded.branches, 1), 0, lists=True)
    begin(view, plans, books, recorded.branches)
    actions = []
    for _ in plan.controller.program(view, plans, *plan.arguments):
        actions.append((plans.open[0], *(kept[:BRANCHES] for kept in (plans.advance, plans.run, plans.prune))))
        assert carry_out(view, plans, books, data, 0, 0) == 0
    return actions, decide(view, plans), sum(books.cost)


@settings(max_examples=200)
@given(recorded=questions, reference=st.sampled_from(["B", "C", "never given", None]))
@pytest.mark.parametrize("plan", SHIPPED, ids=lambda plan: plan.spec)
def test_names_and_the_reference_change_no_action_and_no_cost(
    plan: ControllerPlan, recorded: list[Any], reference: str | None
) -> None:
    other = {"A": "z", "B": "a", "C": "m", None: None}
    whole = trace(*recorded, reference="A")
    first = watched(whole, plan)
    assert first == watched(trace(*renamed(recorded, other.get), reference="A"), plan)
    assert first == watched(changed(whole, references=trace(*recorded[:KINDS], reference=reference).references), plan)


@settings(max_examples=4, deadline=None)
@given(recorded=questions)
@pytest.mark.parametrize("plan", SHIPPED, ids=lambda plan: plan.spec)
def test_what_was_not_paid_for_changes_no_action(plan: ControllerPlan, recorded: list[Any]) -> None:
    """After any number of rounds, replace all that lies ahead: the controller has done the same so far."""
    actions, *_ = watched(trace(*recorded), plan)
    seen = furnish(trace(*recorded), lists=True)
    data = tables(trace(*recorded), python_orders(BRANCHES, 1), 0, lists=True)
    begin(*seen, BRANCHES)
    program = plan.controller.program(seen.view, seen.plan, *plan.arguments)
    rounds = len(actions) // 2
    for _ in range(rounds):
        next(program)
        carry_out(*seen, data, 0, 0)
    order = [int(i) for i in python_orders(BRANCHES, 1)[0]]
    future = list(recorded)
    for b, i in enumerate(order):
        if not seen.view.finished[b]:
            kept = "".join(probe or "." for probe in recorded[i].probes[: seen.view.depth[b]])
            future[i] = branch(kept + "CCCCCCCCCCCC", 500, "C")
    assert watched(trace(*future), plan)[0][:rounds] == actions[:rounds]


@settings(max_examples=4, deadline=None)
@given(recorded=questions)
@pytest.mark.parametrize("plan", SHIPPED, ids=lambda plan: plan.spec)
def test_the_cost_is_the_sum_of_what_was_advanced(plan: ControllerPlan, recorded: list[Any]) -> None:
    whole = trace(*recorded)
    view, plans, books = furnish(whole, lists=True)
    data = tables(whole, python_orders(BRANCHES, 1), 0, lists=True)
    assert play(plan.controller.program, plan.arguments, view, plans, books, data, 0, 0) == 0
    for b, i in enumerate(python_orders(BRANCHES, 1)[0]):
        one = recorded[i]
        if b >= view.n_opened[0]:
            assert books.cost[b] == 0
        elif view.finished[b]:
            assert one.length <= books.cost[b] <= max(one.length, 10 * len(one.probes))
        else:
            assert min(one.length, 10 * view.depth[b]) <= books.cost[b] <= 10 * view.depth[b]
    assert max(books.cost) <= books.sequential[0] <= sum(books.cost)


def prune_one(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 2
    yield
    plan.prune[0] = 1
    plan.run[1] = TO_END
    yield


def test_a_pruned_branch_costs_what_it_had_and_does_not_vote() -> None:
    recorded = trace(branch("BBB", 35, "B"), branch("BBB", 35, "B"))
    run = replay(recorded, prune_one, orders=1, interpreted=True)
    assert run.tokens.tolist() == [[10 + 35]]
    assert run.sequential.tolist() == [[35]]
    assert not run.correct.any()


def test_probes_are_charged_when_they_have_a_price() -> None:
    def step(view: View, plan: Plan) -> Iterator[None]:
        plan.open[0] = 1
        yield
        while not view.finished[0]:
            plan.advance[0] = 1
            yield

    recorded = trace(branch("AAA", 35, "A"))
    assert replay(recorded, step, orders=1, interpreted=True).tokens.tolist() == [[35]]
    assert replay(recorded, step, orders=1, interpreted=True, probe_cost=2).tokens.tolist() == [[41]]


@pytest.mark.parametrize("interpreted", [True, False])
def test_an_interval_costs_what_it_had_when_it_was_recorded(interpreted: bool) -> None:
    """A server may stop a token or two before the interval is full."""
    recorded = trace(changed(branch("AAA", 35, "A"), probe_tokens=[9, 19, 28]))
    run = replay(recorded, advance_twice, orders=1, interpreted=interpreted)
    assert run.tokens.tolist() == run.sequential.tolist() == [[19]]
    assert replay(recorded, all_the_way, orders=1, interpreted=interpreted).tokens.tolist() == [[35]]


def advance_twice(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    yield
    plan.advance[0] = 1
    yield


def all_the_way(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    plan.run[0] = TO_END
    yield


def test_ties_go_to_the_answer_that_was_first_never_to_the_reference() -> None:
    def both(view: View, plan: Plan) -> Iterator[None]:
        plan.open[0] = 2
        plan.run[0] = plan.run[1] = TO_END
        yield

    recorded = trace(branch("", 5, "B"), branch("", 5, "A"), reference="A")
    run = replay(recorded, both, orders=20, interpreted=True)
    first = python_orders(2, 20)[:, 0]
    assert run.correct[0].tolist() == [bool(order) for order in first]
    assert {0, 1} == set(first.tolist())


def too_many(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 3
    yield


def idle(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    yield
    while not view.finished[0]:
        yield


def again(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 2
    plan.run[0] = plan.run[1] = TO_END
    yield
    plan.advance[0] = 1
    yield


def unopened(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    yield
    plan.advance[1] = plan.advance[0] = 1
    yield


def backwards(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    yield
    plan.advance[0] = -3
    yield


@pytest.mark.parametrize("interpreted", [True, False])
@pytest.mark.parametrize(
    ("program", "line", "words"),
    [
        (too_many, 2, "opens more branches than were recorded"),
        (idle, 4, "plans nothing"),
        (again, 5, "has finished"),
        (unopened, 4, "never opened"),
        (backwards, 4, "negative"),
    ],
)
def test_a_mistake_names_the_line(program: Any, line: int, words: str, interpreted: bool) -> None:
    recorded = trace(branch("AAA", 35, "A"), branch("AAA", 35, "A"))
    with pytest.raises(StrategyError) as caught:
        replay(recorded, program, orders=1, interpreted=interpreted)
    assert words in str(caught.value)
    assert f"test_environment.py, line {program.__code__.co_firstlineno + line}" in str(caught.value)


@pytest.mark.parametrize("orders", [0, -1, 10**9])
def test_an_impossible_number_of_orders_is_refused(orders: int) -> None:
    with pytest.raises(InvalidOption, match=f"orders={orders} must lie between"):
        replay(trace(branch("", 5, "A")), too_many, orders=orders)


@pytest.mark.parametrize("interpreted", [True, False])
def test_more_branches_than_were_recorded_are_refused(interpreted: bool) -> None:
    plan = parse_controller("self-consistency(n=4096)")
    with pytest.raises(TooFewBranches, match="self-consistency opens more branches than the 1 that the trace has"):
        replay(trace(branch("A", 5, "A")), plan.controller.program, plan.arguments, orders=1, interpreted=interpreted)
