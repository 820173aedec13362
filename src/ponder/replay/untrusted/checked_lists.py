"""What a person's own controller holds instead of lists: the same numbers, checked at every access.

The checks are those of `ponder.replay.plane.pointers`, so that a mistake is one whether or not the controller is
compiled: no negative position, nothing written to the view, whole numbers where whole numbers are kept.
"""

from __future__ import annotations

import operator
from typing import Any

from ponder.core.methods.controller import Plan, View

__all__ = ["BY_BRANCH", "planned", "shown"]

BY_BRANCH = ("depth", "answer", "finished", "pruned", "length", "order", "note")
"""Fields of view and plan that have no more positions than there are branches.

`Plan.advance`, `Plan.run` and `Plan.prune` have more: that too many branches are opened is a mistake of its own.
"""


class _Held:
    """A list, by position."""

    __slots__ = ("_name", "_numbers", "_size")

    def __init__(self, name: str, numbers: Any, size: int) -> None:
        self._name, self._numbers, self._size = name, numbers, size

    def __getitem__(self, index: Any) -> Any:
        return self._numbers[self._within(index)]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(f"{self._name} may only be read")

    def __iter__(self) -> Any:
        # Without this, Python would run through it by position.
        raise TypeError(f"{self._name} has no end, it is read by position")

    def _within(self, index: Any) -> int:
        try:
            at = operator.index(index)
        except TypeError:
            raise TypeError(f"{self._name}[{index!r:.40}]: a position is a whole number") from None
        if not 0 <= at < self._size:
            raise IndexError(f"{self._name}[{at}] does not exist, the positions are 0 to {self._size - 1}")
        return at


class _Kept(_Held):
    """One that may be written, too."""

    __slots__ = ()

    def __setitem__(self, index: Any, value: Any) -> None:
        at = self._within(index)
        try:
            self._numbers[at] = float(value) if isinstance(self._numbers[at], float) else operator.index(value)
        except (TypeError, ValueError):
            raise TypeError(f"{self._name}[{at}] cannot be {value!r:.40}, it is a number") from None


def shown(view: View, branches: int) -> View:
    """A view of lists, to be read only."""
    return View._make(_Held(f"view.{name}", *_sized(name, kept, branches)) for name, kept in view._asdict().items())


def planned(plan: Plan, branches: int) -> Plan:
    """A plan of lists."""
    return Plan._make(_Kept(f"plan.{name}", *_sized(name, kept, branches)) for name, kept in plan._asdict().items())


def _sized(name: str, numbers: Any, branches: int) -> tuple[Any, int]:
    return numbers, branches if name in BY_BRANCH else len(numbers)
