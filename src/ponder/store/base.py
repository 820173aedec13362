"""What keeps runs: one interface for every database, and what all of them do alike."""

from __future__ import annotations

import json
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ponder.core.errors import InvalidOption, StoreError
from ponder.core.text.quoting import quoted
from ponder.engine.resume.journal import Entry, Record, up_to_the_failure
from ponder.store.limits import Limits, Sized, beyond

__all__ = ["Row", "Rows", "RunJournal", "RunRow", "RunStore", "Statement"]

T = TypeVar("T")

Row = tuple[Any, ...]

Statement = tuple[str, Sequence[Any]]
"""SQL with ``?`` for the values that follow it."""

LAST = "\U0010ffff"
"""The last of all characters."""

_TEXT = re.compile(r"[^\0\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the store knows it; `created` is in seconds since 1970."""

    id: str
    created: float
    status: str
    job: Mapping[str, Any]
    answer: Mapping[str, Any] | None


class Rows(Protocol):
    """Where journals write. What fails is said by `RunJournal.broken`, and by nothing else."""

    def insert(self, writer: RunJournal, values: Row) -> int:
        """Write a row: run, lane, step, part, intent, result, time; returns its number."""
        ...

    def update(self, writer: RunJournal, row: int, result: str, at: float) -> None:
        """Write a result into a row."""
        ...

    def commit(self) -> None:
        """Return when all of it would survive the end of the process."""
        ...


class RunJournal:
    """The `ponder.engine.resume.journal.Journal` of one run.

    When it cannot be written any more, the run goes on without it: `broken` then says why.
    """

    def __init__(self, rows: Rows, run: str) -> None:
        self._rows = rows
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
        if self.broken is None:
            self._rows.update(self, row, json.dumps(result), at)

    def flush(self) -> None:
        """Commit what was written."""
        self._rows.commit()

    def breaks(self, why: object) -> None:
        """Write no more."""
        self.broken = self.broken or f"the journal stopped, this run cannot be resumed: {why}"

    def _insert(self, lane: str, step: int, part: str, intent: str, result: str | None, at: float) -> int:
        return 0 if self.broken else self._rows.insert(self, (self._run, lane, step, part, intent, result, at))


class RunStore(ABC):
    """Runs and their journals. A subclass says how its database is asked; the tables are the same in all.

    Raises:
        StoreError: from every method, when the database cannot be read or written.
    """

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, for people: without a password."""

    @property
    def folder(self) -> Path | None:
        """The folder on this machine that it grows in; None if it is elsewhere."""
        return None

    @abstractmethod
    def another(self) -> RunStore:
        """The same store over a connection of its own, for another thread."""

    @abstractmethod
    def close(self) -> None:
        """Commit what journals have written, and let go of the database."""

    @abstractmethod
    def check(self) -> None:
        """See that it can be written."""

    @abstractmethod
    def journal(self, run: str) -> RunJournal:
        """The journal of one run."""

    @abstractmethod
    def claim(self, run: str) -> AbstractContextManager[None]:
        """Hold a run, so that nobody else works on it; the claim dies with the process.

        Raises:
            RunBusy: somebody holds it.
        """

    @abstractmethod
    def size(self) -> int:
        """The bytes that it takes up, whatever is free in them included."""

    @abstractmethod
    def vacuum(self) -> None:
        """Give back the room of what was removed. It may take minutes, and nobody can write meanwhile."""

    @abstractmethod
    def _bytes(self, column: str) -> str:
        """SQL for the bytes that a column of a row takes up."""

    @abstractmethod
    def _read(self, statement: str, *values: Any) -> list[Row]:
        """What a query finds, journals included."""

    @abstractmethod
    def _write(self, *statements: Statement) -> int:
        """Change the database in one transaction, after all that journals have written; how many rows the last did."""

    def begin(self, job: Mapping[str, Any], run: str | None = None) -> str:
        """Enter a new run; returns its id, which is `run` if that is given.

        Raises:
            StoreError: it cannot be written, or there is a run `run` already.
        """
        insert = "INSERT INTO runs VALUES (?, ?, 'running', ?, NULL) ON CONFLICT (id) DO NOTHING"
        while True:  # among many thousands of runs two draw the same id now and then
            name = run or secrets.token_hex(4)
            if self._write((insert, (name, time.time(), json.dumps(job)))):
                return name
            if run is not None:
                raise StoreError(f"there is a run {run!r} already in {self.place}")

    def finish(self, run: str, status: str, answer: Mapping[str, Any] | None) -> None:
        """Write down how a run ended."""
        text = None if answer is None else json.dumps(answer)
        self._write(("UPDATE runs SET status = ?, answer = ? WHERE id = ?", (status, text, run)))

    def run(self, name: str) -> RunRow:
        """A run by its id, by the beginning of it, or ``"last"``.

        Raises:
            InvalidOption: there is none, or several begin so.
            StoreError: the file is damaged.
        """
        run = self.id_of(name)
        rows = self._select("WHERE id = ?", run)
        if not rows:
            raise StoreError(f"{self.place} is damaged: it lists a run {run!r:.40} and has none of this id")
        return rows[0]

    def id_of(self, name: str) -> str:
        """The whole id of a run, also of one that is damaged; see `run`.

        Raises:
            InvalidOption: there is none, or several begin so.
        """
        clause, values = "id >= ? AND id < ? ORDER BY id LIMIT 2", [name, name + LAST]
        if name == "last":
            clause, values = "true ORDER BY created DESC LIMIT 1", []
        found = self._read(f"SELECT id FROM runs WHERE {clause}", *values) if _may_be(name) else []
        if not found:
            raise InvalidOption(f"no run {quoted(name)} in {self.place}; `ponder runs` lists them")
        if len(found) > 1 and found[0][0] != name:
            raise InvalidOption(f"several runs begin with {quoted(name)}; give more of the id")
        return str(found[0][0])

    def find(self, run: str) -> RunRow | None:
        """The run of exactly this id, None if there is none."""
        rows = self._select("WHERE id = ?", run) if _may_be(run) else []
        return rows[0] if rows else None

    def of_owner(self, name: str) -> Iterator[str]:
        """The runs that the API key `name` has asked for, by id; not all of them are in memory at once."""
        last = ""
        while rows := self._select("WHERE id > ? ORDER BY id LIMIT 100", last):
            last = rows[-1].id
            yield from (row.id for row in rows if row.job.get("owner") == name)

    def running(self) -> list[RunRow]:
        """The runs that have not ended; a process that works on one holds its `claim`."""
        return self._select("WHERE status = 'running'")

    def runs(self, limit: int = 50) -> list[RunRow]:
        """The newest runs first."""
        return self._select("ORDER BY created DESC LIMIT ?", limit)

    def beyond(self, limits: Limits, now: float) -> list[Sized]:
        """The runs outside of `limits`, whoever works on them; the oldest first. `now` is in seconds since 1970."""
        statement, values = beyond(limits, now, self._bytes)
        return [Sized(id, created, status, int(size)) for id, created, status, size in self._read(statement, *values)]

    def remove(self, run: str) -> bool:
        """Remove a run and all that is kept of it; False if there is none.

        Raises:
            RunBusy: somebody works on it.
        """
        with self.claim(run):
            journal: Statement = ("DELETE FROM actions WHERE run = ?", (run,))
            return self._write(journal, ("DELETE FROM runs WHERE id = ?", (run,))) > 0

    def _select(self, clause: str, *values: Any) -> list[RunRow]:
        return [
            RunRow(
                id,
                self._sound(id, created, float, int),
                self._sound(id, status, str),
                self._record(id, job),
                None if answer is None else self._record(id, answer),
            )
            for id, created, status, job, answer in self._read(
                f"SELECT id, created, status, job, answer FROM runs {clause}", *values
            )
        ]

    def _record(self, run: str, text: Any) -> dict[str, Any]:
        """What a column has, as it was written."""
        try:
            return self._sound(run, json.loads(text), dict)
        except (ValueError, TypeError, RecursionError):
            return self._sound(run, None, dict)

    def _sound(self, run: str, value: Any, *kinds: type[T]) -> T:
        if isinstance(value, kinds):
            return value
        raise StoreError(f"run {run!r:.40} in {self.place} is damaged; `ponder runs rm` removes it")

    def entries(self, run: str) -> list[Entry]:
        """What a run has done. Calls that had no result are marked as lost, for good."""
        return [entry for _, entry in self._entries(run)]

    def begin_again(self, run: str) -> list[Entry]:
        """Take up a run that has ended or was cut off; gives what it has done. A failed one forgets its failure."""
        changes: list[Statement] = [("UPDATE runs SET status = 'running' WHERE id = ?", (run,))]
        if self.run(run).status == "failed":
            rows = self._entries(run)
            revised = up_to_the_failure([entry for _, entry in rows])
            for (row, before), after in zip(rows, revised, strict=True):
                if after is None:
                    changes.append(("DELETE FROM actions WHERE run = ? AND row = ?", (run, row)))
                elif after is not before:
                    values = (json.dumps(after.result), run, row)
                    changes.append(("UPDATE actions SET result = ? WHERE run = ? AND row = ?", values))
        self._write(*changes)
        return self.entries(run)

    def _entries(self, run: str) -> list[tuple[int, Entry]]:
        lost = json.dumps({"lost": True})
        self._write(("UPDATE actions SET result = ? WHERE run = ? AND result IS NULL", (lost, run)))
        found = self._read(
            "SELECT row, lane, step, part, intent, result, at FROM actions WHERE run = ? ORDER BY row", run
        )
        return [
            (
                row,
                Entry(
                    self._sound(run, lane, str),
                    self._sound(run, step, int),
                    self._sound(run, part, str),
                    self._record(run, intent),
                    self._record(run, result),
                    self._sound(run, at, float, int),
                ),
            )
            for row, lane, step, part, intent, result, at in found
        ]


def _may_be(name: str) -> bool:
    """False for what can be no id, and what a database cannot even look for."""
    return _TEXT.fullmatch(name) is not None
