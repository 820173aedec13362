"""What a strategy raises that is no error ends the run, settled, and comes out as it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest
from rig import Memory, Model, live, plan, said, solve, virtually

import ponder
from ponder.backends.scripted import Scripted
from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.budget import Budget
from ponder.core.completion import Completion
from ponder.core.methods import registry
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool
from ponder.replay.play.recorded_branches import Recorded as Sample


class Own(BaseException):
    """One that nobody has heard of."""

    def __bool__(self) -> bool:
        return False


ENDS = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, Own]


def model(seconds: float = 1.0) -> Model:
    """Every second reply takes much longer than the others."""

    async def play(request: Request, progress: Progress) -> Completion:
        progress.texts, progress.tokens = ["Answer:"] * request.n, [1] * request.n
        await anyio.sleep(seconds * (1 + 99 * (len(backend.requests) % 2 == 0)))
        return said(request, *["Answer: 4"] * request.n)

    backend = Model(play)
    return backend


Raiser = Callable[[Session, BaseException], Coroutine[Any, Any, Answer]]


async def at_once(s: Session, end: BaseException) -> Answer:
    raise end


async def after_a_call(s: Session, end: BaseException) -> Answer:
    await s.extend(await s.sample(2))
    raise end


async def in_a_child(s: Session, end: BaseException) -> Answer:
    await s.gather(s.extend(await s.sample(1)), s.extend(await s.sample(1)), after_a_call(s, end))
    return vote([])


async def in_a_child_whose_parent_forgives(s: Session, end: BaseException) -> Answer:
    for _ in range(2):
        with contextlib.suppress(Exception):
            await s.gather(after_a_call(s, end))
    return vote(await s.extend(await s.sample(1)))


async def in_a_race(s: Session, end: BaseException) -> Answer:
    async with s.as_completed(s.extend(await s.sample(1)), after_a_call(s, end), s.extend(await s.sample(1))) as done:
        async for _ in done:
            pass
    return vote([])


async def in_the_loser_of_a_race(s: Session, end: BaseException) -> Answer:
    async def loser() -> None:
        try:
            await s.extend(await s.sample(2))
            await s.extend(await s.sample(2))
        finally:
            raise end

    async with s.as_completed(s.clock(), loser()) as done:
        async for _ in done:
            break
    return vote(await s.extend(await s.sample(1)))


async def around_a_race(s: Session, end: BaseException) -> Answer:
    async with (
        s.as_completed(s.extend(await s.sample(2)), s.extend(await s.sample(2))) as done,
        s.limit(Budget(calls=9)),
    ):
        async for _ in done:
            raise end
    return vote([])


PLACES = [
    at_once, after_a_call, in_a_child, in_a_child_whose_parent_forgives, in_a_race, in_the_loser_of_a_race,
    around_a_race,
]  # fmt: skip


EVERYWHERE = [
    (kind, place)
    for kind in ENDS
    for place in PLACES
    # That is what Python tells a coroutine to end by, and what it may answer.
    if (kind, place) != (GeneratorExit, in_the_loser_of_a_race)
]


def program(raiser: Raiser, end: BaseException) -> Any:
    async def strategy(s: Session) -> Answer:
        return await raiser(s, end)

    return strategy


@pytest.mark.parametrize(("kind", "raiser"), EVERYWHERE)
def test_it_comes_out_as_it_is_and_the_run_is_settled(kind: type[BaseException], raiser: Raiser) -> None:
    end, memory = kind("now"), Memory()

    async def main() -> tuple[BaseException, Any]:
        run = live(program(raiser, end), model(), journal=memory)
        try:
            await run.run()
        except BaseException as error:  # noqa: BLE001
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}, "a task still runs"
            return error, run
        raise AssertionError("it was swallowed")

    raised, run = virtually(main())
    assert raised is end
    assert run.escaped is end
    settled = [entry.result for entry in memory.entries]
    assert None not in settled
    assert run.bill.calls == sum(result["charge"]["calls"] for result in settled if result and "charge" in result)
    assert run.state.root.reserved.calls == 0


@pytest.mark.parametrize(("kind", "raiser"), EVERYWHERE)
def test_the_simulation_lets_it_out_as_well(kind: type[BaseException], raiser: Raiser) -> None:
    end = kind("now")
    with pytest.raises(kind) as raised:
        drive(plan(program(raiser, end)), Problem.of("?"), Pool([Sample("4", 5 + i) for i in range(9)]))
    assert raised.value is end


def test_a_run_that_the_keyboard_stopped_while_the_strategy_computed_goes_on_with_what_it_had() -> None:
    pressed = [KeyboardInterrupt()]

    async def computes(s: Session) -> Answer:
        async def one(number: int) -> Any:
            done = await s.extend(await s.sample(1))
            if number == 1 and pressed:
                raise pressed.pop()
            return done

        return vote([branch for got in await s.gather(*map(one, range(4))) for branch in got])

    memory, backend = Memory(), model()
    with pytest.raises(KeyboardInterrupt):
        solve(computes, backend, journal=memory)
    answer = solve(computes, backend, journal=memory, recorded=memory.recorded())
    assert (answer.value, answer.votes) == ("4", {"4": 4.0})
    undisturbed = solve(computes, model())
    assert [branch.text for branch in answer.branches] == [branch.text for branch in undisturbed.branches]


@pytest.mark.parametrize(
    ("kind", "status"), [(kind, "interrupted" if kind is KeyboardInterrupt else "failed") for kind in ENDS]
)
def test_the_store_has_the_run_with_its_bill(
    kind: type[BaseException], status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry.registered()))

    @ponder.strategy("ends")
    async def ends(s: ponder.Session) -> ponder.Answer:
        await s.extend(await s.sample(2))
        raise kind("now")

    with contextlib.closing(ponder.Store(tmp_path / "runs.db")) as store:
        backend = Scripted(["Answer: 4"])
        with pytest.raises(kind, match="now"):
            ponder.solve("2 + 2?", strategy=ends, model=backend, store=store)
        row = store.run("last")
        assert row.status == status
        assert row.answer is not None
        assert row.answer["bill"]["calls"] == 1
        with pytest.raises(kind, match="now"):
            asyncio.run(ponder.aresume(row.id, store, backend=backend))
        assert store.run(row.id).status == status
        assert store.run(row.id).answer["bill"]["calls"] == 1, "nothing is asked twice"
