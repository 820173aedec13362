"""What a run has done, written so that it can go on after a crash: the seam to `ponder.store`.

One row an action: the intent is written before a call and the result into the same row after it. A row without a
result was in flight when the process died.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Entry", "Journal", "Record", "Recorded"]

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
    """Where a run is recorded. Each method returns only when the row would survive the end of the process."""

    def intend(self, lane: str, step: int, part: str, intent: Record, at: float) -> int:
        """Write the intent; returns the row's number."""
        ...

    def settle(self, row: int, result: Record, at: float) -> None:
        """Write the result into the row."""
        ...

    def note(self, lane: str, step: int, part: str, result: Record, at: float) -> None:
        """Write a row that needs no intent: a decision, not a call."""
        ...


class Recorded:
    """The rows of an earlier life of the run, found by action."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._results: dict[tuple[str, int], dict[str, Entry]] = {}
        self.entries = list(entries)
        for entry in self.entries:
            if entry.result is not None and not ("lost" in entry.result or "interrupted" in entry.result):
                self._results.setdefault((entry.lane, entry.step), {})[entry.part] = entry

    def parts(self, lane: str, step: int) -> Mapping[str, Entry]:
        """The settled rows of one action, by part."""
        return self._results.get((lane, step), {})

    def result(self, lane: str, step: int, part: str) -> Record | None:
        """The result of one row, if it is there."""
        entry = self.parts(lane, step).get(part)
        return entry.result if entry else None

    @property
    def clock(self) -> float:
        """How many seconds the run had lived."""
        return max((entry.at for entry in self.entries), default=0.0)

    @property
    def lost(self) -> int:
        """How many calls were in flight when the process died."""
        return sum(1 for entry in self.entries if entry.result is not None and "lost" in entry.result)
