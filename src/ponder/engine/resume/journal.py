"""What a run has done, written so that it can go on after a crash: the seam to `ponder.store`.

One row an attempt at a call: the intent is written before it and the result into the same row after it. A row without
a result was in flight when the process died. Decisions that a resumed run must repeat are rows without an intent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

__all__ = ["Entry", "Journal", "Record", "Recorded", "up_to_the_failure"]

Record = Mapping[str, Any]
"""Plain JSON data."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. `lane` and `step` name the action, `part` the call within it; `at` is the run's clock in seconds."""

    lane: str
    step: int
    part: str
    intent: Record
    result: Record | None
    at: float


class Journal(Protocol):
    """Where a run is recorded. Rows are kept in the order in which they are written, and for certain after `flush`."""

    def intend(self, lane: str, step: int, part: str, intent: Record, at: float) -> int:
        """Write the intent; returns the row's number."""
        ...

    def settle(self, row: int, result: Record, at: float) -> None:
        """Write the result into the row."""
        ...

    def note(self, lane: str, step: int, part: str, result: Record, at: float) -> None:
        """Write a row that needs no intent: a decision, not a call."""
        ...

    def flush(self) -> None:
        """Return only when every row so far would survive the end of the process."""
        ...


_UNFINISHED = frozenset({"lost", "interrupted", "failed"})
"""Results of attempts that do not end their call: in flight at a crash, stopped by the user, or to be tried again."""


def up_to_the_failure(entries: Sequence[Entry]) -> list[Entry | None]:
    """A run that failed, as if it had been stopped after its last answered call: each row revised, or None to drop it.

    What failed since is tried again, as the server may be back, and stays paid for.
    """
    answered = [entry.at for entry in entries if {"choices", "kept"} & (entry.result or {}).keys()]
    last = max(answered, default=-1.0)

    def revised(entry: Entry) -> Entry | None:
        if entry.at <= last:
            return entry
        charge = (entry.result or {}).get("charge", {})
        return replace(entry, result={"interrupted": True, "charge": charge}) if entry.intent else None

    return [revised(entry) for entry in entries]


def _ends(entry: Entry) -> bool:
    return entry.result is not None and not _UNFINISHED & entry.result.keys()


class Recorded:
    """The rows of an earlier life of the run, found by action."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)
        self._rows: dict[tuple[str, int], dict[str, list[Entry]]] = {}
        self._reached: dict[str, float] = {}
        for entry in self.entries:
            self._rows.setdefault((entry.lane, entry.step), {}).setdefault(entry.part, []).append(entry)
            if _ends(entry):
                for end in (at + 1 for at, letter in enumerate(entry.lane) if letter == "/"):
                    self._reached[entry.lane[:end]] = max(entry.at, self._reached.get(entry.lane[:end], 0.0))

    def rows(self, lane: str, step: int, part: str) -> Sequence[Entry]:
        """All rows of one call or decision: failed attempts and earlier lives first."""
        return self._rows.get((lane, step), {}).get(part, ()) if self._rows else ()

    def asked(self, lane: str, step: int, part: str) -> list[Entry]:
        """All rows of the calls that a verifier made to decide `part`."""
        parts = self._rows.get((lane, step), {})
        return [row for name, rows in parts.items() if name.startswith(f"{part}?") for row in rows]

    def entry(self, lane: str, step: int, part: str) -> Entry | None:
        """The row that ends a call or holds a decision, if it is there."""
        rows = self.rows(lane, step, part)
        return rows[-1] if rows and _ends(rows[-1]) else None

    def result(self, lane: str, step: int, part: str) -> Record | None:
        """The result in that row."""
        entry = self.entry(lane, step, part)
        return entry.result if entry else None

    def notes(self, lane: str, step: int, prefix: str) -> list[Record]:
        """The decisions of one action whose part begins with `prefix`, in the order in which they were made."""
        parts = self._rows.get((lane, step), {})
        return [rows[-1].result or {} for part, rows in parts.items() if part.startswith(prefix)]

    def reached(self, lane: str) -> float:
        """When a lane and those below it last got a result; infinity if they got none."""
        return self._reached.get(lane, float("inf"))

    @property
    def clock(self) -> float:
        """How many seconds the run had lived."""
        return max((entry.at for entry in self.entries), default=0.0)

    @property
    def lost(self) -> int:
        """How many calls were in flight when the process died."""
        return sum(1 for entry in self.entries if entry.result is not None and "lost" in entry.result)
