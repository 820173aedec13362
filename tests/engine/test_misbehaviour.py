"""Whatever a strategy does wrong, the run ends with one sentence that names it."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Generator
from typing import Any

import anyio
import pytest
from rig import Model, said, solve

from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.errors import (
    BudgetExhausted,
    ForeignAwait,
    InvalidOption,
    PonderError,
    StrategyError,
    StrategyStuck,
)
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live


def model() -> Model:
    async def play(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(0.01)
        return said(request, *["Answer: 4"] * request.n)

    return Model(play)


async def sleeps(s: Session) -> Answer:
    await asyncio.sleep(1)
    return vote([])


async def yields_the_loop(s: Session) -> Answer:
    await asyncio.sleep(0)
    return vote([])


async def sleeps_with_anyio(s: Session) -> Answer:
    await anyio.sleep(1)
    return vote([])


async def awaits_a_future(s: Session) -> Answer:
    await asyncio.get_running_loop().create_future()
    return vote([])


async def awaits_a_task(s: Session) -> Answer:
    await asyncio.create_task(asyncio.sleep(0))
    return vote([])


async def awaits_another_library(s: Session) -> Answer:
    @types.coroutine
    def trap() -> Generator[Any, Any, Any]:
        yield ("a trap of", "another event loop")

    await trap()
    return vote([])


async def swallows_the_complaint(s: Session) -> Answer:
    while True:
        with contextlib.suppress(Exception):
            await asyncio.sleep(1)


FOREIGN = [
    sleeps, yields_the_loop, sleeps_with_anyio, awaits_a_future, awaits_a_task, awaits_another_library,
    swallows_the_complaint,
]  # fmt: skip


@pytest.mark.parametrize("program", FOREIGN)
def test_awaiting_anything_but_the_session_is_a_type_error_that_names_the_strategy(program: Any) -> None:
    with pytest.raises(TypeError, match=f"{program.__name__} awaited something that is no Session operation") as error:
        solve(program, model())
    assert isinstance(error.value, ForeignAwait)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("how", ["gather", "as_completed"])
def test_a_foreign_await_in_a_child_is_found_too(how: str) -> None:
    async def parent(s: Session) -> Answer:
        if how == "gather":
            await s.gather(s.sample(1), asyncio.sleep(1))
        else:
            async with s.as_completed(s.sample(1), asyncio.sleep(1)) as finished:
                async for _ in finished:
                    pass
        return vote([])

    with pytest.raises(ForeignAwait, match="parent awaited"):
        solve(parent, model())


async def computes_for_ever(s: Session) -> Answer:
    while True:
        pass


async def swallows_everything_and_computes_for_ever(s: Session) -> Answer:
    while True:
        with contextlib.suppress(Exception):
            while True:
                pass


async def computes_for_ever_in_a_child(s: Session) -> Answer:
    await s.gather(s.extend(await s.sample(2)), computes_for_ever(s))
    return vote([])


async def computes_for_ever_when_told_to_end(s: Session) -> Answer:
    try:
        await asyncio.sleep(0)
    finally:
        while True:
            pass


@pytest.mark.parametrize(
    "program",
    [computes_for_ever, swallows_everything_and_computes_for_ever, computes_for_ever_in_a_child,
     computes_for_ever_when_told_to_end],
)  # fmt: skip
def test_a_strategy_that_computes_for_ever_is_stopped(program: Any) -> None:
    with pytest.raises(StrategyStuck, match=rf"{program.__name__} computed for more than 0.1 s"):
        solve(program, model(), run=asyncio.run, patience=0.1)


def test_a_strategy_that_only_takes_its_time_is_left_alone() -> None:
    async def thorough(s: Session) -> Answer:
        done = await s.extend(await s.sample(1))
        for number in range(2, 20_000):
            assert any(number % divisor == 0 for divisor in range(2, number + 1))
        return vote(done)

    assert solve(thorough, model(), run=asyncio.run, patience=30.0).value == "4"


async def samples_for_ever(s: Session) -> Answer:
    while True:
        await s.sample(1)


async def samples_masses(s: Session) -> Answer:
    while True:
        await s.sample(4096)


async def samples_for_ever_come_what_may(s: Session) -> Answer:
    while True:
        with contextlib.suppress(Exception):
            await s.sample(1)


async def gathers_itself(s: Session) -> Answer:
    await s.gather(gathers_itself(s), gathers_itself(s))
    return vote([])


@pytest.mark.parametrize("program", [samples_for_ever, samples_masses, samples_for_ever_come_what_may, gathers_itself])
def test_a_strategy_that_acts_for_ever_is_stopped(program: Any) -> None:
    runs: list[Live] = []
    with pytest.raises(StrategyStuck, match=f"{program.__name__} performed more than 2,000 actions"):
        solve(program, model(), max_actions=2000, began=runs.append)
    assert len(runs[0].state.branches) <= 2000


def test_an_exception_is_reported_with_the_line_it_came_from() -> None:
    async def divides(s: Session) -> Answer:
        await s.extend(await s.sample(2))
        return vote([], because=str(1 / 0))

    place = r"\(.*test_misbehaviour.py:\d+\)"
    with pytest.raises(StrategyError, match=rf"divides raised ZeroDivisionError: division by zero {place}") as error:
        solve(divides, model())
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert error.value.bill is not None
    assert error.value.bill.calls == 1, "what was spent before is told"


def test_an_exception_in_a_child_reaches_the_parent_which_may_go_on() -> None:
    async def careful(s: Session) -> Answer:
        async def broken() -> None:
            raise LookupError("no such thing")

        with pytest.raises(StrategyError, match="careful raised LookupError: no such thing"):
            await s.gather(broken(), s.extend(await s.sample(1)))
        return vote(await s.extend(await s.sample(1)))

    assert solve(careful, model()).value == "4"


@pytest.mark.parametrize("returned", [None, "4", 4, [Answer(value="4")]])
def test_what_is_no_answer_is_refused(returned: Any) -> None:
    async def forgetful(s: Session) -> Any:
        return returned

    with pytest.raises(StrategyError, match=r"forgetful returned .* which is no Answer"):
        solve(forgetful, model())


@pytest.mark.parametrize("ask", [
    lambda s, b: s.sample(0), lambda s, b: s.sample(-1), lambda s, b: s.sample(10**9), lambda s, b: s.fork(b, 0),
    lambda s, b: s.extend(b, tokens=0),
])  # fmt: skip
def test_numbers_out_of_range_are_refused(ask: Any) -> None:
    async def greedy(s: Session) -> Answer:
        [branch] = await s.sample(1)
        await ask(s, branch)
        return vote([])

    with pytest.raises(InvalidOption, match=r"must (lie between|be at least)"):
        solve(greedy, model())


@pytest.mark.parametrize("children", [[None], [[1, 2]], ["text"]])
def test_gathering_what_is_no_coroutine_is_refused(children: Any) -> None:
    async def confused(s: Session) -> Answer:
        await s.gather(*children)
        return vote([])

    with pytest.raises(StrategyError, match=r"confused gathers .* which is no coroutine"):
        solve(confused, model())


def test_one_branch_cannot_be_extended_twice_at_a_time() -> None:
    async def impatient(s: Session) -> Answer:
        [branch] = await s.sample(1)
        await s.gather(s.extend(branch), s.extend(branch))
        return vote([])

    with pytest.raises(StrategyError, match="b0 is extended twice at the same time"):
        solve(impatient, model())


def test_naming_a_branch_twice_in_one_call_extends_it_once() -> None:
    async def stutters(s: Session) -> Answer:
        [branch] = await s.sample(1)
        first, second = await s.extend([branch, branch])
        assert first == second
        return vote([first])

    backend = model()
    assert solve(stutters, backend).value == "4"
    assert [request.n for request in backend.requests] == [1]


def test_as_completed_belongs_to_the_coroutine_that_opened_it() -> None:
    async def shares(s: Session) -> Answer:
        async def take(finished: Any) -> None:
            async for _ in finished:
                pass

        async with s.as_completed(s.sample(1), s.sample(1)) as finished:
            await s.gather(take(finished), take(finished))
        return vote([])

    with pytest.raises(StrategyError, match="shares uses as_completed outside of the coroutine that opened it"):
        solve(shares, model())


def test_a_strategy_that_awaits_while_it_is_abandoned_is_closed_all_the_same() -> None:
    ended = []

    async def tidy(s: Session) -> Answer:
        async def child() -> None:
            [branch] = await s.sample(1)
            try:
                await s.extend(branch)
            finally:
                try:
                    await s.prune(branch)
                finally:
                    try:
                        await s.probe(branch)
                    finally:
                        ended.append(branch.id)

        async def fails() -> None:
            raise ValueError

        await s.gather(child(), fails())
        return vote([])

    async def play(request: Request, progress: Progress) -> Completion:
        await asyncio.sleep(1)
        return said(request, "Answer: 4")

    with pytest.raises(StrategyError, match="tidy raised ValueError"):
        solve(tidy, Model(play))
    assert ended == ["1.0/b0"]


def test_a_strategy_that_ignores_the_limit_is_told_again_and_again_and_then_stopped() -> None:
    told = 0

    async def stubborn(s: Session) -> Answer:
        nonlocal told
        while True:
            try:
                await s.extend(await s.sample(1))
            except BudgetExhausted:
                told += 1

    with pytest.raises(StrategyStuck):
        solve(stubborn, model(), budget="tokens=60", max_actions=200)
    assert told > 50


def test_errors_of_ponder_are_raised_as_they_are_and_not_in_groups() -> None:
    async def asks_much(s: Session) -> Answer:
        await s.gather(s.gather(s.sample(0)))
        return vote([])

    with pytest.raises(PonderError) as error:
        solve(asks_much, model())
    assert not isinstance(error.value, BaseExceptionGroup)
    assert error.value.bill is None, "nothing was sent"


@pytest.mark.parametrize("ask", [
    lambda s, b: s.sample(1.5), lambda s, b: s.extend("b0"), lambda s, b: s.extend(b, tokens=1.5),
    lambda s, b: s.fork(None, 2), lambda s, b: s.chat([{"role": "user", "content": "?"}], max_tokens="9"),
])  # fmt: skip
def test_arguments_of_another_type_are_the_strategys_mistake(ask: Any) -> None:
    async def sloppy(s: Session) -> Answer:
        [branch] = await s.sample(1)
        await ask(s, branch)
        return vote([])

    with pytest.raises(StrategyError, match="sloppy raised TypeError"):
        solve(sloppy, model())


def test_a_branch_of_nowhere_is_refused() -> None:
    async def forger(s: Session) -> Answer:
        return vote([await s.extend(Branch(id="b7"))])

    with pytest.raises(StrategyError, match="'b7' is none of this run's"):
        solve(forger, model())


def test_a_limit_that_is_no_budget_is_refused() -> None:
    async def sloppy(s: Session) -> Answer:
        async with s.limit("tokens=5"):  # type: ignore[arg-type]
            return vote([])

    with pytest.raises(StrategyError, match="limit\\(\\) takes a Budget"):
        solve(sloppy, model())


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": 5},
        {"value": "5", "confidence": "high"},
        {"value": "5", "confidence": float("nan")},
        {"value": "5", "votes": [1]},
        {"value": "5", "votes": {5: "many"}},
        {"value": "5", "text": b"5"},
        {"value": "5", "stopped_because": 1},
        {"value": "5", "branch": 0},
        {"value": "5", "notes": "alone"},
    ],
)
def test_an_answer_with_wrong_parts_is_refused(wrong: dict[str, Any]) -> None:
    async def careless(s: Session) -> Answer:
        return Answer(**wrong)

    with pytest.raises(StrategyError, match="careless returned an Answer whose"):
        solve(careless, model())
