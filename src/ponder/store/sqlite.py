"""Runs in one SQLite file, written ahead (WAL): nothing that was answered is lost when a process is killed."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ponder.core.errors import InvalidOption, StoreError
from ponder.engine.journal import Entry, Record, up_to_the_failure

__all__ = ["RunJournal", "RunRow", "Store", "default_path"]

VERSION = 1

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


def default_path() -> Path:
    """``$PONDER_STORE``, or ``ponder/runs.db`` in the user's data directory."""
    given = os.environ.get("PONDER_STORE")
    if given:
        return Path(given).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "ponder" / "runs.db"


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the store knows it."""

    id: str
    created: float
    status: str
    job: Mapping[str, Any]
    answer: Mapping[str, Any] | None


class Store:
    """The run store at `path`; created when it is not there.

    Raises:
        StoreError: the file cannot be opened, is no run store, or was written by a newer version.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path) if path is not None else default_path()
        with self._reporting("open"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: every statement is durable when it returns, but for the rows of journals.
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            self._pending = _Pending(self._db)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

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
        self._db.execute("PRAGMA journal_mode = WAL")
        # NORMAL survives the death of the process; only a power cut can take the last rows.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if version < VERSION:
            self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._pending.commit()
        self._db.close()

    def begin(self, job: Mapping[str, Any], run: str | None = None) -> str:
        """Enter a new run; returns its id, which is `run` if that is given.

        Raises:
            StoreError: it cannot be written, or there is a run `run` already.
        """
        self._pending.commit()
        with self._reporting("write"):
            while True:
                name = run or secrets.token_hex(4)
                try:
                    values = (name, time.time(), json.dumps(job))
                    self._db.execute("INSERT INTO runs VALUES (?, ?, 'running', ?, NULL)", values)
                    return name
                except sqlite3.IntegrityError:  # among many thousands of runs two draw the same id now and then
                    if run is not None:
                        raise

    def finish(self, run: str, status: str, answer: Mapping[str, Any] | None) -> None:
        """Write down how a run ended."""
        self._pending.commit()
        with self._reporting("write"):
            self._db.execute(
                "UPDATE runs SET status = ?, answer = ? WHERE id = ?",
                (status, None if answer is None else json.dumps(answer), run),
            )

    def journal(self, run: str) -> RunJournal:
        """The journal of one run."""
        return RunJournal(self._pending, run)

    def run(self, name: str) -> RunRow:
        """A run by its id, by the beginning of it, or ``"last"``.

        Raises:
            InvalidOption: there is none, or several begin so.
        """
        if name == "last":
            rows = self.runs(limit=1)
        else:
            rows = self._select("WHERE id LIKE ? || '%' LIMIT 2", (name.replace("%", "").replace("_", ""),))
        if not rows:
            raise InvalidOption(f"no run {name!r} in {self.path}; `ponder runs` lists them")
        if len(rows) > 1:
            raise InvalidOption(f"several runs begin with {name!r}; give more of the id")
        return rows[0]

    def find(self, run: str) -> RunRow | None:
        """The run of exactly this id, None if there is none."""
        rows = self._select("WHERE id = ?", (run,))
        return rows[0] if rows else None

    def running(self) -> list[RunRow]:
        """The runs that have not ended; a process that works on one holds its `claim`."""
        return self._select("WHERE status = 'running'", ())

    def runs(self, limit: int = 50) -> list[RunRow]:
        """The newest runs first."""
        return self._select("ORDER BY created DESC LIMIT ?", (limit,))

    def _select(self, clause: str, arguments: tuple[Any, ...]) -> list[RunRow]:
        with self._reporting("read"):
            found = self._db.execute(f"SELECT id, created, status, job, answer FROM runs {clause}", arguments)
            return [
                RunRow(id, created, status, json.loads(job), json.loads(answer) if answer else None)
                for id, created, status, job, answer in found
            ]

    def entries(self, run: str) -> list[Entry]:
        """What a run has done. Calls that had no result are marked as lost, for good."""
        return [entry for _, entry in self._rows(run)]

    def begin_again(self, run: str) -> list[Entry]:
        """Take up a run that has ended or was cut off; gives what it has done. A failed one forgets its failure."""
        rows = self._rows(run)
        if self.run(run).status == "failed":
            revised = up_to_the_failure([entry for _, entry in rows])
            with self.transaction():
                for (row, before), after in zip(rows, revised, strict=True):
                    if after is None:
                        self._db.execute("DELETE FROM actions WHERE row = ?", (row,))
                    elif after is not before:
                        result = json.dumps(after.result)
                        self._db.execute("UPDATE actions SET result = ? WHERE row = ?", (result, row))
        with self._reporting("write"):
            self._db.execute("UPDATE runs SET status = 'running' WHERE id = ?", (run,))
        return self.entries(run)

    def _rows(self, run: str) -> list[tuple[int, Entry]]:
        self._pending.commit()
        with self._reporting("read"):
            self._db.execute(
                "UPDATE actions SET result = ? WHERE run = ? AND result IS NULL", (json.dumps({"lost": True}), run)
            )
            found = self._db.execute(
                "SELECT row, lane, step, part, intent, result, at FROM actions WHERE run = ? ORDER BY row", (run,)
            )
            return [
                (row, Entry(lane, step, part, json.loads(intent), json.loads(result), at))
                for row, lane, step, part, intent, result, at in found
            ]

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
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

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
            StoreError: another process holds it.
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
                raise StoreError(f"run {run} is being worked on by another process; wait for it to end") from None
            except BaseException:
                file.close()
                raise
            file.close()

    @contextmanager
    def _reporting(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"cannot {verb} the run store {self.path}: {error}; set PONDER_STORE to another place"
            ) from error


class _Pending:
    """Rows of journals that are written and not yet committed; all runs of a store share one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._writers: set[RunJournal] = set()

    def write(self, writer: RunJournal, statement: str, values: tuple[Any, ...]) -> int:
        """Write a row; returns its number."""
        if writer.broken is not None:
            return 0
        self._writers.add(writer)
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            return self._db.execute(statement, values).lastrowid or 0
        except sqlite3.Error as error:
            self._fail(error)
            return 0

    def commit(self) -> None:
        try:
            self._db.commit()
        except sqlite3.Error as error:
            self._fail(error)
        self._writers.clear()

    def _fail(self, error: sqlite3.Error) -> None:
        """Nothing of the transaction is kept, so no run that wrote into it can be resumed."""
        with suppress(sqlite3.Error):
            self._db.rollback()
        for writer in self._writers:
            writer.broken = f"the journal stopped, this run cannot be resumed: {error}"
        self._writers.clear()


class RunJournal:
    """The `ponder.engine.journal.Journal` of one run.

    When the disk fills up, the run goes on without it: `broken` then says why.
    """

    def __init__(self, pending: _Pending, run: str) -> None:
        self._pending = pending
        self._run = run
        self.broken: str | None = None

    def intend(self, lane: str, step: int, part: str, intent: Record, at: float) -> int:
        """Write the intent; returns the row's number."""
        return self._insert(lane, step, part, json.dumps(intent), None, at)

    def note(self, lane: str, step: int, part: str, result: Record, at: float) -> None:
        """Write a decision."""
        self._insert(lane, step, part, "{}", json.dumps(result), at)

    def settle(self, row: int, result: Record, at: float) -> None:
        """Write the result into the row."""
        values = (json.dumps(result), at, row)
        self._pending.write(self, "UPDATE actions SET result = ?, at = ? WHERE row = ?", values)

    def flush(self) -> None:
        """Commit what was written."""
        self._pending.commit()

    def _insert(self, lane: str, step: int, part: str, intent: str, result: str | None, at: float) -> int:
        return self._pending.write(
            self,
            "INSERT INTO actions (run, lane, step, part, intent, result, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._run, lane, step, part, intent, result, at),
        )
