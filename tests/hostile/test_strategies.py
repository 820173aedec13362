"""Strategies that do whatever they like end in an answer, a typed error or what they raised; the bill is settled."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.completion import Completion
from ponder.core.errors import BudgetExhausted, PonderError, StrategyError, StrategyStuck, Unreachable
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool, Recorded
from tests.engine.rig import Memory, Model, live, plan, said, virtually


class Foreign(BaseException):
    """No exception of anybody's."""

    def __str__(self) -> str:
        raise ValueError("nor does it say what it is")


class Unspeakable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


RAISED = [
    ValueError, Unspeakable, StopAsyncIteration, StopIteration, MemoryError, RecursionError, TimeoutError,
    BudgetExhausted, Unreachable, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, Foreign,
]  # fmt: skip


def thrown(kind: type[BaseException]) -> BaseException:
    return BudgetExhausted("mine", "tokens") if kind is BudgetExhausted else kind("now")


@dataclass
class Life:
    """What a program has at hand: its session, its luck, what it may raise, what it has got."""

    s: Session
    luck: random.Random
    end: BaseException
    branches: list[Branch]

    async def raises(self) -> None:
        raise self.end

    async def works(self) -> None:
        self.branches += await self.s.extend(await self.s.sample(self.luck.randint(1, 3)))

    async def steps(self) -> None:
        await self.s.extend(self.branches[:2], tokens=2)

    async def forks(self) -> None:
        self.branches += await self.s.fork(self.luck.choice(self.branches), 2)

    async def probes(self) -> None:
        await self.s.probe(self.branches)

    async def prunes(self) -> None:
        await self.s.prune(self.luck.choice(self.branches))

    async def scores(self) -> None:
        await self.s.score(self.branches)

    async def limits(self) -> None:
        async with self.s.limit(Budget(tokens=self.luck.randint(1, 9))):
            await self.works()

    async def leaves_a_limit_open(self) -> None:
        await self.s.limit(Budget(calls=1)).__aenter__()

    async def leaves_a_limit_twice(self) -> None:
        async with self.s.limit(Budget(calls=5)) as _:
            await self.s.limit(Budget(calls=5)).__aexit__(None, None, None)

    async def gathers(self) -> None:
        await self.s.gather(self.works(), self.any(), self.any())

    async def gathers_anything(self) -> None:
        await self.s.gather(self.works(), self.luck.choice([None, "text", asyncio.sleep, 7]))  # type: ignore[arg-type]

    async def gathers_masses(self) -> None:
        await self.s.gather(*(self.s.clock() for _ in range(100_000)))

    async def races(self) -> None:
        async with self.s.as_completed(self.works(), self.any(), self.any()) as done:
            async for _ in done:
                if self.luck.random() < 0.5:
                    break

    async def leaves_a_race_open(self) -> None:
        await self.s.as_completed(self.works(), self.any()).__aenter__()

    async def awaits_a_stranger(self) -> None:
        await asyncio.sleep(self.luck.choice([0, 1]))

    async def makes_a_task(self) -> None:
        task = asyncio.get_running_loop().create_task(self.s.clock())
        task.add_done_callback(lambda done: done.exception())

    async def goes_to_another_thread(self) -> None:
        def aside() -> None:
            with contextlib.suppress(PonderError):
                asyncio.run(self.s.extend(self.branches))  # type: ignore[arg-type]

        thread = threading.Thread(target=aside)
        thread.start()
        thread.join()

    async def swallows(self) -> None:
        for _ in range(5):
            with contextlib.suppress(Exception, KeyboardInterrupt, SystemExit, asyncio.CancelledError, Foreign):
                await self.s.gather(self.any(), self.works())

    async def clings(self) -> None:
        for _ in range(5):
            try:
                await self.any()
            finally:
                await self.works()

    async def goes_on_for_ever(self) -> None:
        while True:
            await self.s.clock()

    async def any(self) -> None:
        deeds: list[Callable[[Life], Awaitable[None]]] = self.luck.choices(DEEDS, WEIGHTS, k=2)
        for deed in deeds:
            await deed(self)


DEEDS = [deed for name, deed in vars(Life).items() if not name.startswith("_") and asyncio.iscoroutinefunction(deed)]
WEIGHTS = [8 if deed is Life.works else 1 for deed in DEEDS]

RETURNED: list[Callable[[Life], Any]] = [
    lambda life: vote([branch for branch in life.branches if branch.complete]),
    lambda life: None,
    lambda life: life,
    lambda life: life.s.sample,
    lambda life: Answer(value=5),  # type: ignore[arg-type]
    lambda life: Answer(value="4", notes=[life], votes={life: "many"}),  # type: ignore[arg-type,dict-item]
    lambda life: Answer(value="4", stopped_because=Unspeakable()),  # type: ignore[arg-type]
]


def program(seed: int, kind: type[BaseException], kept: list[Session]) -> tuple[Any, BaseException]:
    """A strategy of this seed, and what it raises if it comes to that."""
    luck, end = random.Random(seed), thrown(kind)

    async def hostile(s: Session) -> Any:
        kept.append(s)
        life = Life(s, luck, end, [])
        await life.works()
        for _ in range(luck.randint(0, 3)):
            await life.any()
        return luck.choice(RETURNED)(life)

    return hostile, end


def model(seed: int) -> Model:
    luck = random.Random(seed)

    async def play(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(luck.random() * 3)
        if luck.random() < 0.1:
            raise Unreachable("the server is away")
        return said(request, *[f"It is Answer: {luck.randint(1, 3)}"] * request.n)

    return Model(play, concurrency=4)


class Judge:
    """Gives half a point to everything."""

    name = "judge"
    needs = frozenset[Any]()

    async def score(self, problem: Problem, branch: Branch, ask: Any) -> float:
        return 0.5


async def ended(run: Live) -> Answer | BaseException:
    """How it ended, which is with nothing left under way."""
    try:
        return await run.run()
    except BaseException as error:  # noqa: BLE001
        return error
    finally:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task still runs"


def acceptable(outcome: object, end: BaseException) -> None:
    """An answer, an error of Ponder's that can be told in a line, or what the strategy raised."""
    if isinstance(outcome, PonderError):
        assert "\n" not in str(outcome)
    elif not isinstance(outcome, Answer):
        assert outcome is end
        assert not isinstance(end, Exception)


async def used_again(session: Session) -> None:
    for operation in (session.sample(1), session.clock(), session.gather(), session.chat([])):
        with pytest.raises(PonderError):
            await operation


@given(st.integers(0, 2**32), st.sampled_from(RAISED))
def test_a_hostile_strategy_ends_and_settles_its_bill(seed: int, kind: type[BaseException]) -> None:
    kept: list[Session] = []
    strategy, end = program(seed, kind, kept)
    memory = Memory()

    async def main() -> tuple[Live, Answer | BaseException]:
        run = live(
            strategy, model(seed), journal=memory, budget="tokens=200", max_actions=500, verifier=Judge(), patience=60.0
        )
        return run, await ended(run)

    run, outcome = virtually(main())
    acceptable(outcome, end)
    results = [entry.result for entry in memory.entries]
    assert None not in results, "a call is neither settled nor cut"
    charges = [result["charge"] for result in results if result and "charge" in result]
    assert run.bill.calls == sum(charge.get("calls", 0) for charge in charges)
    assert run.bill.output_tokens == sum(charge.get("output", 0) for charge in charges)
    assert run.bill.total_tokens <= 200
    account = run.state.root
    assert (account.reserved.tokens, account.reserved.calls) == (0, 0)
    assert account.spent.tokens == run.bill.total_tokens
    for session in kept:
        asyncio.run(used_again(session))


@given(st.integers(0, 2**32), st.sampled_from(RAISED))
def test_so_it_does_in_a_simulation(seed: int, kind: type[BaseException]) -> None:
    kept: list[Session] = []
    strategy, end = program(seed, kind, kept)
    luck = random.Random(seed)
    pool = Pool([Recorded(luck.choice("123"), luck.randint(1, 30), score=0.5) for _ in range(12)])
    outcome: Answer | BaseException
    try:
        outcome = drive(
            plan(strategy), Problem.of("?"), pool, settings=Settings(max_actions=500), budget=Budget(tokens=200)
        )
    except BaseException as error:  # noqa: BLE001
        outcome = error
    acceptable(outcome, end)
    for session in kept:
        asyncio.run(used_again(session))


# Python says so when it throws such a coroutine away.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError, asyncio.CancelledError])
@pytest.mark.parametrize("inner", [False, True])
def test_a_strategy_that_will_not_be_ended_is_left_behind(kind: type[BaseException], inner: bool) -> None:
    tries = 0

    async def clings(s: Session) -> None:
        nonlocal tries
        while True:
            tries += 1
            with contextlib.suppress(BaseException):
                await s.gather(s.extend(await s.sample(1)), s.clock())

    async def strategy(s: Session) -> Answer:
        if inner:
            await s.gather(clings(s), raises(s))
        await clings(s)
        return vote([])

    async def raises(s: Session) -> None:
        await s.extend(await s.sample(1))
        raise kind("now")

    async def main() -> Answer | BaseException:
        return await ended(live(strategy, model(1), budget="calls=20", max_actions=300))

    outcome = virtually(main())
    assert isinstance(outcome, StrategyStuck if not inner else (StrategyError, kind))
    assert tries < 1000
    del outcome
    gc.collect()  # or some other test is blamed
