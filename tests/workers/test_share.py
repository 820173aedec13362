"""Runs share the workers: in turn, each to a limit, and what needs no worker waits for none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

import ponder
from ponder.answers.equivalence import Equivalence
from ponder.backends.scripted import Scripted
from ponder.workers import pool as pools
from ponder.workers.pool import Dropped, Undecided, UsedUp, Workers, wait
from ponder.workers.share import Share

pytestmark = pytest.mark.anyio

ENDLESS = ("search", "(a+)+$", "a" * 40 + "b")
QUICK = ("search", "a", "a")
PAIR = (r"\sqrt{8}", r"2\sqrt{2}")
SETTLED = [("1/2", "0.5"), ("5 km", "5 km"), ("B", "(B) Paris"), ("x + 1", "x+1"), ("Canberra", "Sydney"), ("7", "8")]


@pytest.fixture
def pool() -> Iterator[Workers]:
    pool = Workers(size=1, seconds=0.2)
    yield pool
    pool.close()


def asked(pool: Workers, owner: str, job: tuple[str, ...], times: int = 1) -> list[Future[Any]]:
    with Share(owner).working():
        return [pool.submit(*job) for _ in range(times)]


def given_up(futures: list[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


async def test_one_job_of_a_key_waits_for_one_turn_of_another_and_not_for_all_it_has_asked(pool: Workers) -> None:
    served: list[str] = []
    many = asked(pool, "a", ENDLESS, 24)
    (one,) = asked(pool, "b", QUICK)
    for owner, future in (*(("a", each) for each in many), ("b", one)):
        future.add_done_callback(lambda _, owner=owner: served.append(owner))
    await wait(one)
    given_up(many)
    assert served.index("b") <= 2, "one that was being done, and one turn"


async def test_no_key_has_the_last_process_for_itself() -> None:
    pool = Workers(size=3, seconds=60)
    many = asked(pool, "a", ENDLESS, 24)
    try:
        (one,) = asked(pool, "b", QUICK)
        assert await wait(one)
        assert not any(future.done() for future in many), "it waited for the end of none of them"
    finally:
        given_up(many)
        pool.close()


async def test_what_a_normal_form_decides_starts_no_worker_and_waits_for_none() -> None:
    pool = Workers(size=1, seconds=60)
    many = asked(pool, "a", ENDLESS, 3)
    try:
        with Share("a", seconds=0).working():
            assert [await Equivalence(pool).same(*pair) for pair in SETTLED] == [True, True, True, True, False, False]
        assert pool.jobs == 3
        assert not any(future.done() for future in many)
    finally:
        given_up(many)
        pool.close()


async def test_a_run_that_has_had_its_seconds_is_refused_and_says_so_and_others_are_not(pool: Workers) -> None:
    share = Share("a", seconds=0.3)
    with share.working():
        futures = [pool.submit(*ENDLESS) for _ in range(5)]
        ends = [type(future.exception()) for future in futures]
        with pytest.raises(UsedUp):
            pool.submit(*QUICK)
    assert ends == [Undecided, Undecided, Dropped, Dropped, Dropped]
    assert "more than the 0.3 s of CPU time" in share.notes[0]
    other = Share("a")
    with other.working():
        assert await pool.run(*QUICK)
    assert other.notes == ()
    assert 0 <= other.spent < other.seconds


async def test_a_pair_beyond_the_share_is_different_and_is_not_remembered_as_such(pool: Workers) -> None:
    equivalence, share = Equivalence(pool), Share(seconds=0)
    with share.working():
        assert not await equivalence.same(*PAIR)
    assert share.notes
    assert await equivalence.same(*PAIR)


async def test_a_run_asks_anew_for_what_another_asked_first_and_has_no_time_for() -> None:
    pool = Workers(size=1, seconds=0.2)
    equivalence, poor, rich = Equivalence(pool), Share("a", seconds=0.1), Share("b")
    try:
        with poor.working():
            first = pool.submit(*ENDLESS)
            poors = asyncio.create_task(equivalence.same(*PAIR))
            await asyncio.sleep(0)
        with rich.working():
            riches = asyncio.create_task(equivalence.same(*PAIR))
            await asyncio.sleep(0)
            assert pool.jobs == 2, "they wait for the same job"
        assert (await poors, await riches) == (False, True)
        assert isinstance(first.exception(), Undecided)
        assert (bool(poor.notes), rich.notes) == (True, ())
    finally:
        pool.close()


async def test_a_wait_that_is_given_up_takes_its_job_out_of_the_queue_and_others_ask_anew() -> None:
    pool = Workers(size=1, seconds=1)
    equivalence = Equivalence(pool)
    (first,) = asked(pool, "a", ENDLESS)
    try:
        gone = asyncio.create_task(equivalence.same(*PAIR))
        other = asyncio.create_task(equivalence.same(*PAIR))
        await asyncio.sleep(0)
        assert pool.jobs == 2, "they wait for the same job"
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert not first.done()
        assert await other
        assert pool.jobs == 3
    finally:
        pool.close()


async def test_runs_without_a_key_take_turns_too() -> None:
    assert Share().owner != Share().owner
    assert Share("alice").owner == Share("alice").owner


async def test_the_answer_says_when_pairs_were_left_for_lack_of_time(
    monkeypatch: pytest.MonkeyPatch, workers: Workers
) -> None:
    script = [rf"\boxed{{\sqrt{{{2 * number * number}}}}}" for number in (2, 3, 5)]
    monkeypatch.setattr("ponder.answers.answers.shared_workers", lambda: workers)
    whole = await ponder.asolve("?", strategy="self-consistency(n=3)", model=Scripted(script))
    assert whole.notes == ()
    monkeypatch.setattr(ponder.api, "Share", partial(Share, seconds=0))
    short = await ponder.asolve("?", strategy="self-consistency(n=3)", model=Scripted(script))
    assert [note.split(";")[0] for note in short.notes] == [
        "comparing and checking answers took more than the 0 s of CPU time that a run has for it"
    ]
    assert len(short.votes) == 3, "what is left counts as different"


def test_there_is_one_process_more_than_cores_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, size in ((1, 2), (2, 3), (4, 5), (64, 8)):
        monkeypatch.setattr(pools, "cores", lambda cores=cores: cores)
        assert Workers()._size == size
