"""A database that is gone for a while: runs go on, nothing waits for it, and it is taken up again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, TypeVar

import psycopg
import pytest

from ponder.api import aresume, asolve
from ponder.backends.scripted import Reply, Scripted
from ponder.core.backend import Request
from ponder.core.errors import RunBusy, StoreError
from ponder.gateway.accounts.base import Grant, Want
from ponder.gateway.accounts.opening import accounts_in
from ponder.gateway.settings import Limits
from ponder.store.base import RunJournal, RunStore
from ponder.store.opening import open_store
from ponder.store.place import place_of
from ponder.store.postgres import link as postgres_link
from ponder.store.postgres.connection import Connection, lock_number
from tests.servers.postgres import Cluster

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Waits(list[str]):
    """Who went to the database and waited for it, by the thread's name; the keeper's own attempts are nobody's wait."""

    def of(self, connect: Callable[..., T]) -> Callable[..., T]:
        """The same, noted."""

        def noted(*options: Any, **named: Any) -> T:
            if (name := threading.current_thread().name) != "ponder store":
                self.append(name)
            return connect(*options, **named)

        return noted


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    made = Waits()
    monkeypatch.setattr(postgres_link, "connect", made.of(postgres_link.connect))
    monkeypatch.setattr(Connection, "wait", made.of(Connection.wait))
    return made


@pytest.fixture
def store(cluster: Cluster) -> Iterator[RunStore]:
    with closing(open_store(place_of(cluster.url))) as made:
        yield made


@pytest.fixture
def stopped(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, which a test may leave stopped."""
    yield cluster
    with suppress(FileNotFoundError):
        cluster.stop()
    cluster.start()


def write(journal: RunJournal) -> None:
    journal.note("/", 0, "pick", {"said": "hello"}, 0.0)
    journal.flush()


def until_it_works(store: RunStore) -> None:
    while True:
        with suppress(StoreError):
            return store.check()
        time.sleep(0.05)


def test_a_restart_between_two_writes_is_not_noticed(stopped: Cluster, store: RunStore) -> None:
    run = store.begin({})
    with store.claim(run):
        journal = store.journal(run)
        write(journal)
        stopped.stop()
        stopped.start()
        until_it_works(store)
        write(journal)
        assert journal.broken is None
        with closing(open_store(place_of(stopped.url))) as other, pytest.raises(RunBusy), other.claim(run):
            pass
        assert len(store.entries(run)) == 2


def test_a_database_that_is_down_is_an_error_at_once(stopped: Cluster, store: RunStore, waits: Waits) -> None:
    run = store.begin({})
    journal = store.journal(run)
    assert waits, "while it is up, a statement waits for what it says"
    stopped.stop()
    waits.clear()
    for _ in range(3):
        with pytest.raises(StoreError, match=r"^cannot read the run store postgresql://ponder@127.0.0.1:\d+/shared: "):
            store.runs()
    write(journal)
    assert (journal.broken or "").startswith("the journal stopped, this run cannot be resumed: cannot write")
    assert waits == []
    stopped.start()
    until_it_works(store)
    assert store.run(run).status == "running"


def test_a_run_outlives_its_database(stopped: Cluster, store: RunStore) -> None:
    def says(request: Request, index: int) -> Reply:
        if model.calls == 2:
            stopped.stop()
        return "Answer: 4"

    model = Scripted(says)
    answer = asyncio.run(asolve("?", strategy="adaptive-consistency(n=5,threshold=1)", model=model, store=store))
    assert (answer.value, answer.bill.calls) == ("4", 5)
    assert any("the journal stopped, this run cannot be resumed" in note for note in answer.notes)
    stopped.start()
    until_it_works(store)
    again = Scripted(["Answer: 4"])
    assert asyncio.run(aresume("last", store, backend=again)).value == "4", "what it wrote before is there"


def test_a_database_that_does_not_answer_is_given_up(cluster: Cluster, store: RunStore, waits: Waits) -> None:
    run = store.begin({})
    journal = store.journal(run)
    with cluster.frozen():
        write(journal)
        assert journal.broken is not None
        waits.clear()
        with pytest.raises(StoreError):
            store.check()
        assert waits == [], "only the first one waits"
    until_it_works(store)
    store.finish(run, "done", None)
    assert store.run(run).status == "done"


def test_a_run_that_somebody_else_got_hold_of_writes_no_more(cluster: Cluster, store: RunStore) -> None:
    run = store.begin({})
    with store.claim(run), psycopg.connect(cluster.url) as other, ThreadPoolExecutor(1) as pool:
        journal = store.journal(run)
        holding = pool.submit(other.execute, f"SELECT pg_advisory_lock({lock_number('run', run)})")
        while not cluster.execute("SELECT 1 FROM pg_locks WHERE NOT granted"):
            time.sleep(0.05)
        cluster.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        holding.result(timeout=60)
        until_it_works(store)
        assert (journal.broken or "").endswith("another process works on it")
        write(journal)
        assert store.entries(run) == []
        with pytest.raises(RunBusy), store.claim(run):
            pass


async def test_accounts_say_at_once_that_the_database_is_down_and_work_again(stopped: Cluster, store: RunStore) -> None:
    accounts = accounts_in(store)
    limits = [("alice", Limits(tokens=10))]
    grants = await asyncio.gather(*(accounts.reserve(limits, Want(1, 1, 0, 0), 1e9) for _ in range(8)))
    assert all(isinstance(grant, Grant) for grant in grants)
    stopped.stop()
    for _ in range(3):
        # Refused by the machine: nothing was waited for.
        with pytest.raises(StoreError, match=r"cannot use the store .* Connection refused"):
            await accounts.key("0" * 16)
    stopped.start()
    again = await asyncio.gather(*(accounts.reserve(limits, Want(1, 1, 0, 0), 1e9) for _ in range(8)))
    assert sum(isinstance(grant, Grant) for grant in again) == 2, "eight of ten are held still"
    await accounts.aclose()


async def test_what_a_client_reserved_that_has_gone_is_given_back(store: RunStore) -> None:
    accounts = accounts_in(store)
    for turns in range(12):  # cut off at every point of it
        making = asyncio.create_task(accounts.reserve([("alice", Limits(tokens=100))], Want(1, 1, 0, 0), 1e9))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        if making.cancel():
            with pytest.raises(asyncio.CancelledError):
                await making
        else:
            made = making.result()
            assert isinstance(made, Grant)
            await accounts.settle(made.ticket, 0, 0.0)
    await accounts.aclose()
    assert (await accounts.spent("alice", 1e9)).tokens == 0
    await accounts.aclose()
