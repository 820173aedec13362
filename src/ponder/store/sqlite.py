"""Runs in one SQLite file, written ahead (WAL): nothing that was answered is lost when a process is killed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from ponder.core.errors import RunBusy, StoreError
from ponder.store.base import Row, RunJournal, RunStore, Statement
from ponder.store.packing import packed, unpacked
from ponder.store.place import default_place

__all__ = ["Store"]

VERSION = 2
"""2: long texts are compressed. A store of version 1 is read as it is, and is one of version 2 from then on."""

JOURNAL_BYTES = 16 << 20
"""To which SQLite cuts its own journal after a large write; it never shrinks otherwise."""

PATIENCE = 10.0
"""Seconds to wait for a file that another process has locked."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,           -- seconds since 1970
    status TEXT NOT NULL,            -- running, done, interrupted or failed
    job TEXT NOT NULL,               -- JSON: everything needed to start it again
    answer TEXT                      -- JSON
);
CREATE TABLE IF NOT EXISTS actions (
    row INTEGER PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    lane TEXT NOT NULL,
    step INTEGER NOT NULL,
    part TEXT NOT NULL,
    intent TEXT NOT NULL,            -- JSON, written before the call
    result TEXT,                     -- JSON, written after it; null while it is in flight
    at REAL NOT NULL                 -- the run's clock, in seconds
);
CREATE INDEX IF NOT EXISTS actions_of_run ON actions (run);
CREATE INDEX IF NOT EXISTS runs_running ON runs (id) WHERE status = 'running';
PRAGMA user_version = {VERSION};
"""


class Store(RunStore):
    """The run store in the file `path`; created when it is not there.

    Raises:
        StoreError: the file cannot be opened, is no run store, or was written by a newer version.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        place = default_place() if path is None else Path(path)
        if not isinstance(place, Path):
            raise StoreError(f"{place} is no file; ponder.store.opening.open_store() opens both")
        self.path = place
        with self._reporting("open"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: every statement is durable when it returns, but for the rows of journals.
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=PATIENCE)
            self._pending = _Pending(self._db)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)

    def _open(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(
                f"{self.path} was written by a newer version of Ponder (format {version}, this one reads {VERSION}); "
                "update Ponder, or set PONDER_STORE to another place"
            )
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version == 0 and tables - {"runs", "actions"}:
            raise StoreError(
                f"{self.path} is a database of something else ({', '.join(sorted(tables))[:80]}); "
                "set PONDER_STORE to another place"
            )
        self._write_ahead()
        # NORMAL survives the death of the process; only a power cut can take the last rows.
        self._db.execute("PRAGMA synchronous = NORMAL")
        # What was removed, of a key that asked for it for instance, is overwritten and not just forgotten.
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        if version < VERSION:
            self._db.executescript(SCHEMA)

    def _write_ahead(self) -> None:
        """Of two processes that open a new file at once one is refused here: SQLite does not wait by itself."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self.path.parent

    def another(self) -> Store:
        """The same file, opened once more."""
        return Store(self.path)

    def close(self) -> None:
        """Close the file."""
        self._pending.commit()
        self._db.close()

    def check(self) -> None:
        """See that the file can be written."""
        with self.transaction():
            pass

    def size(self) -> int:
        """The bytes of the file, and of what SQLite keeps beside it."""
        with self._reporting("read"):
            files = [self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))]
            return sum(file.stat().st_size for file in files if file.exists())

    def vacuum(self) -> None:
        """Write the file anew; it needs as much room again meanwhile."""
        self._pending.commit()
        with self._reporting("vacuum"):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def journal(self, run: str) -> RunJournal:
        """The journal of one run."""
        return RunJournal(self._pending, run)

    def _bytes(self, column: str) -> str:
        return f"coalesce(length(CAST({column} AS BLOB)), 0)"

    def _read(self, statement: str, *values: Any) -> list[Row]:
        with self._reporting("read"):  # on the connection that journals write on, so it finds what they wrote
            return [tuple(map(unpacked, row)) for row in self._db.execute(statement, values)]

    def _write(self, *statements: Statement) -> int:
        with self.transaction() as db:
            return [db.execute(text, tuple(map(packed, values))) for text, values in statements][-1].rowcount

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction of its own, under the lock that all processes share. Do not wait inside.

        Raises:
            StoreError: the file cannot be written.
        """
        self._pending.commit()
        with self._reporting("write"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()  # which does nothing where SQLite has rolled back by itself
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read. Do not wait inside.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._reporting("read"):
            yield self._db

    @contextmanager
    def claim(self, run: str) -> Iterator[None]:
        """Hold a run, so that no second process works on it; the lock dies with the process.

        Raises:
            RunBusy: another process holds it.
            StoreError: it cannot be locked.
        """
        lock = self.path.parent / f".{self.path.name}.{run}.lock"
        with self._reporting("lock"):
            file = self._lock(lock, run)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            file.close()

    def _lock(self, lock: Path, run: str) -> TextIO:
        while True:
            file = lock.open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever held it before may have removed the file in between; a lock on that one keeps nobody out.
                if lock.exists() and lock.stat().st_ino == os.fstat(file.fileno()).st_ino:
                    return file
            except BlockingIOError:
                file.close()
                raise RunBusy(run) from None
            except BaseException:
                file.close()
                raise
            file.close()

    @contextmanager
    def _reporting(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error, UnicodeError, OSError) as error:
            raise StoreError(
                f"cannot {verb} the run store {self.path}: {error}; set PONDER_STORE to another place"
            ) from error


class _Pending:
    """Rows of journals that are written and not yet committed; all runs of a store share one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._writers: set[RunJournal] = set()

    def insert(self, writer: RunJournal, values: Row) -> int:
        """See `ponder.store.base.Rows`."""
        statement = "INSERT INTO actions (run, lane, step, part, intent, result, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        return self._write(writer, statement, values)

    def update(self, writer: RunJournal, row: int, result: str, at: float) -> None:
        """See `ponder.store.base.Rows`."""
        self._write(writer, "UPDATE actions SET result = ?, at = ? WHERE row = ?", (result, at, row))

    def commit(self) -> None:
        """See `ponder.store.base.Rows`."""
        try:
            self._db.commit()
        except sqlite3.Error as error:
            self._fail(error)
        self._writers.clear()

    def _write(self, writer: RunJournal, statement: str, values: Row) -> int:
        self._writers.add(writer)
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            return self._db.execute(statement, tuple(map(packed, values))).lastrowid or 0
        except sqlite3.Error as error:
            self._fail(error)
            return 0

    def _fail(self, error: sqlite3.Error) -> None:
        """Nothing of the transaction is kept, so no run that wrote into it can be resumed."""
        with suppress(sqlite3.Error):
            self._db.rollback()
        for writer in self._writers:
            writer.breaks(error)
        self._writers.clear()
