"""Runs in a PostgreSQL database, which gateways on several machines may share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from ponder.core.errors import StoreError
from ponder.store.base import Row, RunJournal, RunStore, Statement
from ponder.store.postgres.connection import Connection, connect, lock_number, to_format
from ponder.store.postgres.link import WORKS, Link
from ponder.store.postgres.url import PostgresUrl

__all__ = ["PostgresStore"]

VERSION = 1

# Ids are compared by their bytes, so that the beginning of one is found through the index, whatever the locale.
SCHEMA = (
    """CREATE TABLE runs (
        id text COLLATE "C" PRIMARY KEY,
        created double precision NOT NULL,  -- seconds since 1970
        status text NOT NULL,               -- running, done, interrupted or failed
        job text NOT NULL,                  -- JSON: everything needed to start it again
        answer text                         -- JSON
    )""",
    "CREATE INDEX runs_created ON runs (created)",
    "CREATE INDEX runs_running ON runs (id) WHERE status = 'running'",
    """CREATE TABLE actions (
        run text COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        row bigint NOT NULL,                -- counts the rows of a run
        lane text NOT NULL,
        step integer NOT NULL,
        part text NOT NULL,
        intent text NOT NULL,               -- JSON, written before the call
        result text,                        -- JSON, written after it; null while it is in flight
        at double precision NOT NULL,       -- the run's clock, in seconds
        PRIMARY KEY (run, row)
    )""",
)

SIZE = """SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'ponder'::regnamespace"""


class PostgresStore(RunStore):
    """The run store in the database at `url`, in a schema ``ponder``; created when it is not there.

    Raises:
        StoreError: the database cannot be reached, or was written by a newer version.
    """

    def __init__(self, url: PostgresUrl) -> None:
        self.url = url
        self._link = Link(url)
        self._buffer = _Buffer(self._link)
        self._journals: WeakValueDictionary[str, RunJournal] = WeakValueDictionary()
        try:
            self.create("runs", VERSION, SCHEMA)
        except BaseException:
            self._link.close()
            raise

    @property
    def place(self) -> str:
        """The URL, without a password."""
        return str(self.url)

    def another(self) -> PostgresStore:
        """The same database, over a connection of its own."""
        return PostgresStore(self.url)

    def close(self) -> None:
        """Close the connection."""
        self._buffer.commit()
        self._link.close()

    def check(self) -> None:
        """See that the database can be written."""
        self._write((WORKS, ()))

    def size(self) -> int:
        """The bytes of all tables, indexes included."""
        [(size,)] = self._read(SIZE)
        return int(size)

    def vacuum(self) -> None:
        """Write the tables anew."""
        with self._link.failing("vacuum"), connect(self.url, patience=0) as db:
            db.execute("VACUUM (FULL, ANALYZE) runs, actions")

    def create(self, part: str, version: int, tables: Sequence[str]) -> None:
        """Make tables that are not there yet.

        Raises:
            StoreError: they were written by a newer version, or cannot be made.
        """
        with self._link.use("open") as db, db.transaction():
            # Of gateways that start together one makes them.
            db.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("schema", ""),))
            if db.execute("SELECT to_regnamespace('ponder')").fetchone() == (None,):
                db.execute("CREATE SCHEMA ponder")
            if db.execute("SELECT to_regclass('ponder.formats')").fetchone() == (None,):
                db.execute("CREATE TABLE formats (part text PRIMARY KEY, version integer NOT NULL)")
            found = db.execute("SELECT version FROM formats WHERE part = %s", (part,)).fetchone()
            if found is None:
                for statement in tables:
                    db.execute(statement)
                db.execute("INSERT INTO formats VALUES (%s, %s)", (part, version))
            elif found[0] > version:
                raise StoreError(
                    f"the {part} in {self.url} were written by a newer version of Ponder (format {found[0]}, this one "
                    f"reads {version}); update Ponder, or name another database"
                )

    def journal(self, run: str) -> RunJournal:
        """The journal of one run."""
        [(last,)] = self._read("SELECT coalesce(max(row), 0) FROM actions WHERE run = ?", run)
        journal = self._journals[run] = RunJournal(_Rows(self._buffer, run, last), run)
        return journal

    @contextmanager
    def claim(self, run: str) -> Iterator[None]:
        """Hold a run, so that nobody else works on it; the lock ends with the session.

        Raises:
            RunBusy: somebody holds it.
            StoreError: it cannot be locked.
        """
        self._link.claim(run, self._lost)
        try:
            yield
        finally:
            self._link.release(run)

    def _lost(self, run: str) -> None:
        journal = self._journals.get(run)
        if journal is not None:
            journal.breaks("another process works on it")

    def _bytes(self, column: str) -> str:
        return f"coalesce(pg_column_size({column}), 0)"

    def _read(self, statement: str, *values: Any) -> list[Row]:
        self._buffer.commit()
        with self._link.use("read") as db:
            return db.execute(to_format(statement), values).fetchall()

    def _write(self, *statements: Statement) -> int:
        self._buffer.commit()
        with self._link.use("write") as db:
            return _send(db, statements)


class _Buffer:
    """Rows of journals that are not yet sent; all runs of a store send theirs together."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._statements: list[Statement] = []
        self._writers: set[RunJournal] = set()

    def add(self, writer: RunJournal, *statement: Any) -> None:
        """Keep a change until `commit`."""
        self._statements.append((statement[0], statement[1:]))
        self._writers.add(writer)

    def commit(self) -> None:
        """Send all changes. If that fails none is kept, and no run that made one can be resumed."""
        if not self._statements:
            return
        statements, self._statements = self._statements, []
        writers, self._writers = self._writers, set()
        try:
            with self._link.use("write") as db:
                _send(db, statements)
        except StoreError as error:
            for writer in writers:
                writer.breaks(error)


class _Rows:
    """The rows of one run, from number `last` on. They are numbered here: so nobody has to wait for their numbers."""

    def __init__(self, buffer: _Buffer, run: str, last: int) -> None:
        self._buffer = buffer
        self._run = run
        self._last = last

    def insert(self, writer: RunJournal, values: Row) -> int:
        """See `ponder.store.base.Rows`."""
        self._last += 1
        columns = "row, run, lane, step, part, intent, result, at"
        self._buffer.add(writer, f"INSERT INTO actions ({columns}) VALUES (?{', ?' * 7})", self._last, *values)
        return self._last

    def update(self, writer: RunJournal, row: int, result: str, at: float) -> None:
        """See `ponder.store.base.Rows`."""
        statement = "UPDATE actions SET result = ?, at = ? WHERE run = ? AND row = ?"
        self._buffer.add(writer, statement, result, at, self._run, row)

    def commit(self) -> None:
        """See `ponder.store.base.Rows`."""
        self._buffer.commit()


def _send(db: Connection, statements: Sequence[Statement]) -> int:
    """Make changes in one transaction and one round trip; how many rows the last of them did."""
    if len(statements) == 1:
        [(statement, values)] = statements
        return db.execute(to_format(statement), values).rowcount
    with db.pipeline():  # what is sent up to its end is one transaction
        sent = [db.execute(to_format(statement), values) for statement, values in statements]
    return sent[-1].rowcount
