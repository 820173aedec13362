"""Whose job is done next."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Turns"]

T = TypeVar("T")


@dataclass(slots=True)
class _Line(Generic[T]):
    """The jobs of one owner: how many are being done, and those that wait."""

    running: int = 0
    waiting: deque[T] = field(default_factory=deque)


class Turns(Generic[T]):
    """Jobs that wait, by owner: one of each in turn, so that nobody waits behind all that another has asked for.

    No owner has more than `most` being done at a time; the rest of the places is for those who come later.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: OrderedDict[str, _Line[T]] = OrderedDict()  # whoever is first has waited longest for a turn

    @property
    def ready(self) -> int:
        """How many jobs might be begun now."""
        return sum(min(len(line.waiting), self._most - line.running) for line in self._lines.values())

    def put(self, owner: str, job: T) -> None:
        """A job more, behind the others of its owner."""
        line = self._lines.get(owner) or self._lines.setdefault(owner, _Line())
        line.waiting.append(job)

    def take(self) -> tuple[str, T] | None:
        """The next job and its owner; `end` has to follow. None if none may be begun."""
        for owner, line in self._lines.items():
            if line.waiting and line.running < self._most:
                line.running += 1
                self._lines.move_to_end(owner)
                return owner, line.waiting.popleft()
        return None

    def end(self, owner: str) -> None:
        """A job that was taken is done."""
        line = self._lines[owner]
        line.running -= 1
        if not line.running and not line.waiting:
            del self._lines[owner]
