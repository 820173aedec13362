"""A recorded question behind a real server leads a controller to the same actions, answer and bill as in replay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served import INTERVAL, LIMIT, SEED, Episode, Speaker, questions, replayed, trace, watched

import ponder.controllers
from ponder.api import Job, execute
from ponder.backends.openai import OpenAI
from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.budget import Budget
from ponder.core.methods.controller import ControllerPlan, parse_controller
from ponder.core.methods.registry import Plan, Strategy
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.engine.steering import steer
from ponder.replay.play.conditions import python_orders
from tests.servers.chat import ChatServer, running

pytestmark = pytest.mark.anyio

RECORDED = trace()
QUESTIONS = questions()
ORDERS = python_orders(RECORDED.branches, 3)
EFFORTS = (0.0, 0.4)
SPECS = [f"{name}@{effort:g}" for name in ponder.controllers.SHIPPED for effort in EFFORTS]


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running() as server:
        yield server


def as_strategy(controller: ControllerPlan, plans: list[Any]) -> Plan:
    """The controller as it runs live, its plans written down."""
    name, program = controller.controller.name, watched(controller.controller.program, plans)

    async def run(s: Session) -> Answer:
        return await steer(s, name, program, controller.arguments, INTERVAL)

    return Plan(Strategy(name, run, {}, lambda _: {}, lambda _: frozenset(), lambda _: False, ""), {})


async def lived(
    server: ChatServer, controller: ControllerPlan, question: int, order: Any, budget: int = 0, *, at_once: bool = True
) -> Episode:
    """One run against the server; `at_once` if fresh branches come in one call."""
    server.says = Speaker(QUESTIONS[question].branches, order)
    plans: list[Any] = []
    able = {Capability.SAMPLE, Capability.CONTINUE, Capability.CANCEL, Capability.SEED}
    able |= {Capability.N} if at_once else set()
    backend = OpenAI(server.url, "test-model", wire="text", server="vllm", capabilities=able, timeout=60)
    plan, problem = as_strategy(controller, plans), Problem.of("Which?")
    job = Job(
        messages=problem.messages,
        strategy=plan.spec,
        model=backend.name,
        settings=Settings(max_tokens=LIMIT, probe_tokens=1),
        seed=SEED,
        budget=Budget(tokens=budget or None),
    )
    try:
        answer = await execute(job, backend, plan=plan, problem=problem)
    finally:
        await backend.aclose()
    bill = answer.bill
    return Episode(plans, answer.value, bill.total_tokens, bill.sequential_tokens, bill.probe_tokens)


@pytest.mark.parametrize("question", range(len(QUESTIONS)))
@pytest.mark.parametrize("spec", SPECS)
async def test_actions_answer_and_bill_are_those_of_replay(server: ChatServer, spec: str, question: int) -> None:
    controller, order = parse_controller(spec), ORDERS[question]
    expected = replayed(RECORDED, question, order, controller)
    assert await lived(server, controller, question, order) == expected


@pytest.mark.parametrize("budget", [400, 1000, 3000])
@pytest.mark.parametrize("spec", SPECS)
async def test_a_budget_ends_both_at_the_same_place(server: ChatServer, spec: str, budget: int) -> None:
    """One call a branch: of branches that come in one call, those that do not fit wait for the others."""
    controller, order = parse_controller(spec), ORDERS[2]
    expected = replayed(RECORDED, 1, order, controller, budget)
    assert expected.tokens <= budget
    assert await lived(server, controller, 1, order, budget, at_once=False) == expected


def test_the_recorded_questions_are_worth_it() -> None:
    """Controllers that can prune do, and each answers one of the questions before it has spent all that it may."""

    def played(name: str, question: int, effort: float) -> Episode:
        return replayed(RECORDED, question, ORDERS[question], parse_controller(f"{name}@{effort}"))

    for name in ("cmc", "parallel-probe", "short-waves"):
        episodes = [played(name, question, effort) for question in (0, 1) for effort in EFFORTS]
        assert any(move[1] for episode in episodes for _, moves in episode.plans for move in moves), name
    for name in set(ponder.controllers.SHIPPED) - {"self-consistency", "short-m-at-k"}:
        assert played(name, 0, 0.4).tokens < played(name, 1, 0.4).tokens, name
    everything = [played(name, question, 0.4) for name in ponder.controllers.SHIPPED for question in (0, 1)]
    assert {"1"} < {episode.answer for episode in everything}
