"""One connection for all runs of a process. When it is lost, a thread gets another one, and nobody waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from ponder.core.errors import RunBusy, StoreError
from ponder.store.postgres.connection import PATIENCE, Connection, connect, is_dead, lock_number
from ponder.store.postgres.url import PostgresUrl

__all__ = ["Link"]

PERIOD = 1.0
"""Seconds between two looks at the connection, and between two attempts to get another."""

BRIEFLY = 0.25
"""Seconds that are waited when the server has closed the connection: it may be back already."""

LOCK = "SELECT name FROM unnest(%s::text[], %s::bigint[]) AS claims (name, number) WHERE pg_try_advisory_lock(number)"

WORKS = "UPDATE formats SET version = version WHERE part = 'runs'"


class Link:
    """A connection to the database at `url`, and the claims that last as long as it does.

    Raises:
        StoreError: the database cannot be reached.
    """

    def __init__(self, url: PostgresUrl) -> None:
        self._url = url
        self._lock = threading.RLock()
        self._claims: dict[str, Callable[[str], None]] = {}
        self._why = ""
        self._woken, self._tried = threading.Event(), threading.Event()
        self._closed = False
        try:
            self._connection: Connection | None = connect(url)
        except psycopg.Error as error:
            raise self.failure("open", error) from None
        self._keeper = threading.Thread(target=self._keep, name="ponder store", daemon=True)
        self._keeper.start()

    def failure(self, verb: str, error: object) -> StoreError:
        """An error of the database's, in one line without a secret."""
        return StoreError(f"cannot {verb} the run store {self._url}: {self._url.clean(str(error))}")

    @contextmanager
    def failing(self, verb: str) -> Iterator[None]:
        """Around another connection than this one.

        Raises:
            StoreError: the database fails.
        """
        try:
            yield
        except psycopg.Error as error:
            raise self.failure(verb, error) from None

    @contextmanager
    def use(self, verb: str) -> Iterator[Connection]:
        """The connection, for one thread at a time.

        Raises:
            StoreError: there is none now, or the database fails.
        """
        with self._lock:
            lost = self._lose_if_dead()
        if lost:
            self._tried.wait(BRIEFLY)
        with self._lock:
            if self._connection is None:
                raise self.failure(verb, self._why)
            try:
                yield self._connection
            except psycopg.Error as error:
                if self._connection.broken or isinstance(error, psycopg.OperationalError):
                    self._lose(error)
                raise self.failure(verb, error) from None

    def claim(self, run: str, when_lost: Callable[[str], None]) -> None:
        """Hold a run; `when_lost` is told of it if somebody else gets hold of it while the connection is lost.

        Raises:
            RunBusy: somebody holds it.
            StoreError: the database fails.
        """
        if run in self._claims:
            raise RunBusy(run)
        with self.use("lock") as connection:
            if not _locked(connection, {run}):
                raise RunBusy(run)
            self._claims[run] = when_lost

    def release(self, run: str) -> None:
        """Hold it no more."""
        with self._lock:
            if self._claims.pop(run, None) is not None and self._connection is not None:
                _unlock(self._connection, run)

    def close(self) -> None:
        """Let go of the database, and of all claims."""
        self._closed = True
        self._woken.set()
        self._keeper.join(2 * PATIENCE)
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _lose_if_dead(self) -> bool:
        if self._connection is None or not is_dead(self._connection):
            return False
        self._lose("the server has closed the connection")
        return True

    def _lose(self, why: object) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._why = None, str(why)
        self._tried.clear()
        self._woken.set()

    def _keep(self) -> None:
        """Watch the connection: while it is gone, so are the claims, and another process may take up the runs."""
        while not self._closed:
            self._woken.wait(PERIOD)
            self._woken.clear()
            with self._lock:
                self._lose_if_dead()
                down = self._connection is None
            if down and not self._closed:
                self._reconnect()
                self._tried.set()

    def _reconnect(self) -> None:
        try:
            connection = connect(self._url)
        except psycopg.Error as error:
            self._why = str(error)
            return
        try:
            connection.execute(WORKS)
            claims = set(self._claims)
            held = _reclaimed(connection, claims)
        except psycopg.Error as error:
            connection.close()
            self._why = str(error)
            return
        with self._lock:
            self._connection = connection
            for run in held - self._claims.keys():
                _unlock(connection, run)
            for run in claims - held:
                tell = self._claims.pop(run, None)
                if tell is not None:
                    tell(run)


def _reclaimed(connection: Connection, claims: set[str]) -> set[str]:
    """Those that are held again. The session that held them before may take a moment to end."""
    held = _locked(connection, claims)
    deadline = time.monotonic() + PATIENCE
    while held != claims and time.monotonic() < deadline:
        time.sleep(BRIEFLY)
        held |= _locked(connection, claims - held)
    return held


def _locked(connection: Connection, claims: set[str]) -> set[str]:
    names = list(claims)
    return {name for (name,) in connection.execute(LOCK, (names, [lock_number("run", name) for name in names]))}


def _unlock(connection: Connection, run: str) -> None:
    try:
        connection.execute("SELECT pg_advisory_unlock(%s)", (lock_number("run", run),))
    except psycopg.Error:
        connection.close()  # which gives back all; the others are taken again with the next one
