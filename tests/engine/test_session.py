"""A session serves its own strategy while the run lasts, and nothing without bound."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from rig import Model, Program, plan, said, solve

from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.budget import Budget
from ponder.core.completion import Completion
from ponder.core.errors import InvalidOption, SessionMisused, StrategyError, StrategyStuck
from ponder.core.problem import Problem
from ponder.core.session import MAX_BRANCHES, Session
from ponder.core.settings import Settings
from ponder.core.voting.vote import vote
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool, Recorded


def model() -> Model:
    async def play(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(0.01)
        return said(request, *["Answer: 4"] * request.n)

    return Model(play)


def live(program: Program, max_actions: int = 100_000) -> Answer:
    return solve(program, model(), max_actions=max_actions)


def simulated(program: Program, max_actions: int = 100_000) -> Answer:
    pool = Pool([Recorded("4", 5)])
    return drive(plan(program), Problem.of("?"), pool, settings=Settings(max_actions=max_actions))


DRIVERS: dict[str, Callable[..., Answer]] = {"live": live, "simulated": simulated}


@pytest.mark.parametrize(
    "spread", [lambda s, many: s.gather(*many), lambda s, many: s.as_completed(*many).__aenter__()]
)
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_hundred_thousand_children_are_refused(spread: Any, driver: str) -> None:
    async def spreads(s: Session) -> Answer:
        await spread(s, [s.sample(1) for _ in range(100_000)])
        return vote([])

    with pytest.raises(InvalidOption, match=r"of 100,000 children: at most 4,096 run at a time"):
        DRIVERS[driver](spreads)


async def gathers_masses(s: Session) -> Answer:
    async def few() -> None:
        await s.gather(*(s.clock() for _ in range(500)))

    await s.gather(*(few() for _ in range(500)))
    return vote([])


async def races_masses(s: Session) -> Answer:
    while True:
        async with s.as_completed(*(s.clock() for _ in range(500))):
            pass


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("masses", [gathers_masses, races_masses])
def test_children_count_as_actions(masses: Any, driver: str) -> None:
    with pytest.raises(StrategyStuck, match="performed more than 2,000 actions"):
        DRIVERS[driver](masses, max_actions=2000)


@pytest.mark.parametrize("operation", ["extend", "probe", "score", "prune"])
def test_so_many_branches_in_one_operation_are_refused(operation: str) -> None:
    async def greedy(s: Session) -> Answer:
        [branch] = await s.sample(1)
        await getattr(s, operation)([branch] * (MAX_BRANCHES + 1))
        return vote([])

    with pytest.raises(InvalidOption, match=r"4,097 branches in one operation: at most 4,096 at a time"):
        solve(greedy, model())


async def _limited(s: Session) -> None:
    async with s.limit(Budget(tokens=5)):
        pass


async def _raced(s: Session, *children: Any) -> None:
    async with s.as_completed(*children):
        pass


async def _drawn(s: Session) -> float:
    return s.rng.random()


OPERATIONS: dict[str, Callable[[Session, Any], Any]] = {
    "sample": lambda s, b: s.sample(1),
    "extend": lambda s, b: s.extend(b),
    "append": lambda s, b: s.append(b, "Wait"),
    "fork": lambda s, b: s.fork(b, 2),
    "probe": lambda s, b: s.probe(b),
    "prune": lambda s, b: s.prune(b),
    "score": lambda s, b: s.score(b),
    "chat": lambda s, b: s.chat([{"role": "user", "content": "?"}]),
    "clock": lambda s, b: s.clock(),
    "gather": lambda s, b: s.gather(s.sample(1), s.clock()),
    "as_completed": lambda s, b: _raced(s, s.sample(1)),
    "limit": lambda s, b: _limited(s),
    "rng": lambda s, b: _drawn(s),
}


def test_every_operation_is_in_the_table() -> None:
    assert set(OPERATIONS) == {name for name in vars(Session) if not name.startswith("_")} - {
        "models",
        "problem",
        "settings",
    }


def kept(driver: str) -> tuple[Session, Any]:
    """The session of a run that has ended, and a branch of it."""
    found: list[Any] = []

    async def keeps(s: Session) -> Answer:
        found.extend((s, *await s.extend(await s.sample(1))))
        if driver == "failed":
            raise ValueError
        return vote([])

    with contextlib.suppress(StrategyError):
        DRIVERS["simulated" if driver == "simulated" else "live"](keeps)
    return found[0], found[1]


@pytest.mark.parametrize("driver", ["live", "failed", "simulated"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_session_refuses_what_comes_after_its_run(operation: str, driver: str) -> None:
    session, branch = kept(driver)
    with pytest.raises(SessionMisused, match="the run of this session has ended"):
        asyncio.run(OPERATIONS[operation](session, branch))

    async def borrows(s: Session) -> Answer:
        await s.sample(1)
        await OPERATIONS[operation](session, branch)
        return vote([])

    with pytest.raises(SessionMisused, match="has ended"):
        solve(borrows, model())


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "rng"])
def test_a_session_serves_nobody_but_its_strategy(operation: str) -> None:
    """Not a task beside it, not another thread, while the run is under way."""
    refused: list[BaseException] = []

    async def spied(s: Session) -> Answer:
        [branch] = await s.sample(1)

        async def beside() -> None:
            try:
                await OPERATIONS[operation](s, branch)
            except SessionMisused as error:
                refused.append(error)

        task = asyncio.get_running_loop().create_task(beside())
        thread = threading.Thread(target=asyncio.run, args=(beside(),))
        thread.start()
        thread.join()
        done = await s.extend(branch)
        assert task.done()
        return vote([done])

    assert solve(spied, model()).value == "4"
    assert [str(error)[:43] for error in refused] == ["a session is used outside of its strategy: "] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: s.sample(0), lambda s: s.fork(None, 2), lambda s: s.score("b0"), lambda s: s.chat([]),
        lambda s: s.extend([], tokens=0), lambda s: s.prune(None), lambda s: s.probe([1]),
    ],
)  # fmt: skip
def test_that_the_run_has_ended_is_told_before_what_else_is_wrong(wrong: Any) -> None:
    session, _ = kept("live")
    with pytest.raises(SessionMisused, match="has ended"):
        asyncio.run(wrong(session))


@pytest.mark.parametrize("begins", [lambda s, c: s.as_completed(c), lambda s, c: s.limit(Budget(tokens=1))])
def test_what_is_no_coroutine_is_refused_at_once(begins: Any) -> None:
    session, _ = kept("live")
    child = asyncio.sleep(0)
    with pytest.raises(SessionMisused, match="has ended"):
        begins(session, child)
    child.close()


def test_one_that_takes_no_refusal_for_an_answer_does_not_hang() -> None:
    session, _ = kept("live")
    tries = 0

    async def stubborn() -> None:
        nonlocal tries
        while True:
            tries += 1
            with contextlib.suppress(SessionMisused):
                await session.sample(1)

    with pytest.raises(RuntimeError, match="bad yield"):
        asyncio.run(stubborn())
    assert tries > 50


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_limit_that_was_not_entered_here_cannot_be_left(driver: str) -> None:
    async def leaves(s: Session) -> Answer:
        await s.limit(Budget(tokens=5)).__aexit__(None, None, None)
        return vote([])

    with pytest.raises(StrategyError, match=r"leaves leaves a limit\(\) outside of the coroutine that entered it"):
        DRIVERS[driver](leaves)


def test_what_cannot_show_itself_is_named_by_its_kind() -> None:
    class Hidden:
        def __repr__(self) -> str:
            raise ValueError

    async def returns(s: Session) -> Any:
        return Hidden()

    with pytest.raises(StrategyError, match=r"returns returned <Hidden instance at .*>, which is no Answer"):
        solve(returns, model())
