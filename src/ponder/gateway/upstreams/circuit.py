"""One circuit: closed, open for a while, half-open until one call has told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ["COOLING", "LONGEST_COOLING", "Circuit", "State"]

State = Literal["closed", "half-open", "open"]

COOLING = 5.0
"""Seconds before an upstream that was given up is tried again; twice as many after each try that fails."""

LONGEST_COOLING = 120.0


class Circuit:
    """Closed, every call goes through; open, none; when it has cooled down it is half-open, and one call goes through.

    `failures` in a row were counted while it was closed. A call takes part from `begin` to `end`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.failures = 0
        self._clock = clock
        self._opened = 0
        self._until = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """What the next call would meet."""
        if not self._opened:
            return "closed"
        return "half-open" if self._clock() >= self._until and not self._trying else "open"

    @property
    def retry_after(self) -> float:
        """Seconds until it is half-open; 0 if it is not open."""
        return max(1.0, self._until - self._clock()) if self.state == "open" else 0.0

    def begin(self) -> int:
        """A call goes through; the result is for `end`."""
        self._trying = self._trying or self.state == "half-open"
        return self._opened

    def end(self, begun: int) -> bool:
        """The call is over. True if it says how the upstream is now: it did not begin before the circuit opened."""
        if begun != self._opened:
            return False
        self._trying = False
        return True

    def trip(self) -> None:
        """Open it, for twice as long as before."""
        self._until = self._clock() + min(LONGEST_COOLING, COOLING * 2 ** min(self._opened, 8))
        self._opened += 1

    def close(self) -> None:
        """A call has succeeded."""
        self.failures = self._opened = 0

    def try_soon(self) -> None:
        """The next call may try."""
        self._until = min(self._until, self._clock())
