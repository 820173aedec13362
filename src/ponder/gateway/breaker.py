"""An upstream that fails is left alone for a while, and what was declared takes its place.

The libraries for this do not fit: pybreaker knows async code only under Tornado, aiobreaker is no longer maintained,
purgatory lets every request through while it tries whether the upstream is back, and counts a client that goes away as
a failure of the upstream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from ponder.core.errors import BackendError, PartlyFailed, RateLimited

__all__ = ["COOLING", "THRESHOLD", "Breaker", "BreakerOpen", "State"]

State = Literal["closed", "half-open", "open"]

THRESHOLD = 5
"""So many calls in a row have to fail."""

COOLING = 5.0
"""Seconds before an upstream that was given up is tried again; twice as many after each try that fails."""

LONGEST_COOLING = 120.0


class BreakerOpen(BackendError):
    """The upstream is left alone for now; `retry_after` seconds from now it is tried again."""

    sent = False

    def __init__(self, upstream: str, retry_after: float) -> None:
        super().__init__(
            f"upstream {upstream} has failed {THRESHOLD} times in a row; it is tried again in {retry_after:.0f} s"
        )
        self.retry_after = retry_after


class Breaker:
    """Counts the failures of one upstream.

    Closed, every call goes through. After `THRESHOLD` failures in a row it is open, and no call does. When it has
    cooled down it is half-open: one call goes through, whose outcome decides. A failure is one after which the same
    call might succeed elsewhere (no connection, 5xx, silence, half a reply); an answer of 4xx shows that the upstream
    is alive, and so do some of several choices. What a client breaks off says nothing. It lives in one event loop.
    """

    def __init__(self, upstream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.upstream = upstream
        self._clock = clock
        self._failures = 0
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

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call to the upstream.

        Raises:
            BreakerOpen: the call must not be made.
        """
        state, opened = self.state, self._opened
        if state == "open":
            raise BreakerOpen(self.upstream, self.retry_after)
        self._trying = self._trying or state == "half-open"
        failed: bool | None = None
        try:
            yield
            failed = False
        except BackendError as error:
            failed = error.retryable and not isinstance(error, RateLimited | PartlyFailed)
            raise
        finally:
            # Calls that began before it opened have nothing to say about how the upstream is now.
            if opened == self._opened:
                self._trying = False
                if failed is not None:
                    self._learn(failed)

    def _learn(self, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if not failed:
            self._opened = 0
        elif self._opened or self._failures >= THRESHOLD:
            self._until = self._clock() + min(LONGEST_COOLING, COOLING * 2 ** min(self._opened, 8))
            self._opened += 1
