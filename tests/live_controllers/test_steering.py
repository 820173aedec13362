"""Controllers as a person runs them: named like strategies, refused or stopped in a sentence, never out of bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from crash import Crash
from rig import Model, said, solve

import ponder.controllers
from ponder import asolve
from ponder.backends.scripted import Scripted
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.completion import Completion
from ponder.core.errors import InvalidOption, MissingCapability, StrategyError, Unreachable
from ponder.core.methods.controller import Plan, Program, View, controller
from ponder.core.methods.registry import registered
from ponder.core.session import Session
from ponder.core.settings import PROBE
from ponder.engine.methods import parse_spec, runnable
from ponder.engine.steering import steer

WHOLE = [
    name for name in ponder.controllers.SHIPPED if Capability.CONTINUE not in parse_spec(f"controller:{name}").needs
]
WORDS = "so " * 30


def steered(program: Program, *options: Any, interval: int = 10) -> Any:
    async def run(s: Session) -> Answer:
        return await steer(s, program.__name__, program, options, interval)

    return run


def thinking(request: Request, answer: str = "7") -> str:
    """Thirty words, then an answer; a probe has it at once."""
    if request.prefix.endswith(PROBE):
        return f"{request.prefix} Answer: {answer}"
    return WORDS + f"Answer: {answer}"


def speaks(request: Request, index: int) -> str:
    return thinking(request)


def test_a_strategy_wins_over_a_controller_of_its_name() -> None:
    for name in ponder.controllers.SHIPPED:
        explicit = f"controller:{name}"
        if name in registered():
            assert parse_spec(name).strategy is registered()[name]
            assert parse_spec(explicit).spec == explicit
        else:
            assert parse_spec(name).strategy is parse_spec(explicit).strategy is runnable()[name]


def test_effort_and_options_are_the_controllers_own() -> None:
    plan = parse_spec("cmc@0.5(interval=20,widen=3)")
    assert (plan.values["n"], plan.values["widen"], plan.values["interval"]) == (34, 3, 20)
    assert plan.spec == "cmc@0.5(interval=20,widen=3)"
    with pytest.raises(InvalidOption, match="interval=0 must lie between 1 and"):
        parse_spec("cmc(interval=0)")


@pytest.mark.anyio
@pytest.mark.parametrize("name", WHOLE)
async def test_whole_branches_need_a_model_that_can_sample_and_no_more(name: str) -> None:
    model = Scripted(["Answer: 1", "Answer: 2", "Answer: 1"], capabilities={Capability.SAMPLE})
    answer = await asolve("?", strategy=f"controller:{name}@0", model=model)
    assert answer.value == "1"


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(set(ponder.controllers.SHIPPED) - set(WHOLE)))
async def test_intervals_are_refused_before_the_first_token_where_nothing_can_be_continued(name: str) -> None:
    model = Scripted(["Answer: 1"], capabilities={Capability.SAMPLE, Capability.CANCEL})
    with pytest.raises(MissingCapability) as caught:
        await asolve("?", strategy=f"controller:{name}", model=model)
    assert str(caught.value).endswith("needs continue, which scripted cannot do; self-consistency would work")
    assert model.calls == 0


def probing(view: View, plan: Plan, k: int) -> Iterator[None]:
    plan.open[0] = k
    yield
    for b in range(k - 1):
        plan.prune[b] = 1
    plan.advance[k - 1] = 1
    yield
    plan.run[k - 1] = -1
    yield


def test_a_pruned_branch_is_never_asked_again_and_is_discarded() -> None:
    asked: list[tuple[str, ...]] = []

    async def play(request: Request, progress: Progress) -> Completion:
        asked.append(request.branches)
        return said(request, *[thinking(request).removeprefix(request.prefix)] * request.n)

    answer = solve(steered(probing, 3), Model(play), max_tokens=100)
    assert asked[:4] == [("b0", "b1", "b2"), ("b0",), ("b1",), ("b2",)]
    assert set(asked[4:]) == {("b2",)}
    assert [branch.ending for branch in answer.branches] == ["pruned", "pruned", "stop"]
    assert answer.bill.discarded_tokens == 20
    assert answer.bill.output_tokens == 20 + 32
    assert answer.bill.probe_tokens == 2 * 4
    assert answer.bill.sequential_tokens == 32 + 2 * 2
    assert answer.stopped_because == "probing stopped after 3 rounds: 1 of 3 branches finished, 2 pruned"


def endless(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 2
    while True:
        yield
        for b in range(2):
            plan.advance[b] = 1


def test_at_the_deadline_the_probes_so_far_are_the_answer() -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(1)
        text = f"{request.prefix} Answer: 7" if request.prefix.endswith(PROBE) else request.prefix + WORDS * 9
        return said(request, *[text.removeprefix(request.prefix)] * request.n)

    answer = solve(steered(endless), Model(play), budget="seconds=4.5", max_tokens=1000)
    assert answer.value == "7"
    assert answer.votes == {"7": 2}
    assert answer.stopped_because.startswith("the deadline passed; endless was stopped after 3 rounds: 0 of 2 branches")


def test_a_branch_whose_calls_fail_has_finished_without_an_answer() -> None:
    def one_by_one(view: View, plan: Plan) -> Iterator[None]:
        for b in range(3):
            plan.open[0], plan.run[b] = 1, -1
            yield
        assert [view.finished[b] for b in range(3)] == [1, 1, 1]
        assert [view.answer[b] for b in range(3)] == [0, -1, 0]

    async def play(request: Request, progress: Progress) -> Completion:
        if request.branches == ("b1",):
            raise Unreachable("gone")
        return said(request, "Answer: 7")

    answer = solve(steered(one_by_one), Model(play))
    assert (answer.value, answer.confidence) == ("7", 2 / 3)
    assert "1 of 3 samples failed: gone" in answer.notes


def unopened(view: View, plan: Plan) -> Iterator[None]:
    plan.advance[0] = 1
    yield


def idle(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    yield
    yield


def again(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0], plan.run[0] = 1, -1
    yield
    plan.advance[0] = 1
    yield


def invents(view: View, plan: Plan) -> Iterator[None]:
    plan.open[0] = 1
    yield
    plan.answer[0] = 5


@pytest.mark.parametrize(
    ("program", "line", "words"),
    [
        (unopened, 2, "never opened"),
        (idle, 3, "plans nothing"),
        (again, 4, "has finished"),
        (invents, 2, "answers with an id that was never shown"),
    ],
)
def test_a_mistake_names_the_line(program: Program, line: int, words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        solve(steered(program), Scripted(speaks))
    assert words in str(caught.value)
    assert f"test_steering.py, line {program.__code__.co_firstlineno + line}" in str(caught.value)


def test_a_controller_without_a_yield_is_refused() -> None:
    with pytest.raises(InvalidOption, match="plain has no yield"):

        @controller("plain")
        def plain(view: View, plan: Plan) -> None:
            plan.open[0] = 1


def test_an_option_called_interval_is_refused() -> None:
    with pytest.raises(InvalidOption, match="no option may be called interval"):

        @controller("taken")
        def taken(view: View, plan: Plan, interval: int = 3) -> Iterator[None]:
            yield


@pytest.mark.parametrize("spec", ["cmc@0(interval=4)", "parallel-probe@0(interval=4)", "short-waves@0(interval=6)"])
def test_a_run_that_is_cut_off_anywhere_goes_on_to_the_same_answer_and_bill(spec: str) -> None:
    crash = Crash(parse_spec(spec))
    for dies in range(0, crash.writes, 7):
        crash.after(dies)
