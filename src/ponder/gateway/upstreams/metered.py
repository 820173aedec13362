"""Around every call to a model: its time is told to the request, its outcome to the upstream's breaker.

The rest of a request's time is what Ponder adds.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

from ponder.core.backend import Backend, Batches, Prepares, Progress, Request
from ponder.core.completion import Completion
from ponder.gateway.request_record import record
from ponder.gateway.telemetry.call_spans import calling
from ponder.gateway.upstreams.breaker import Breaker

__all__ = ["Meter", "Metered", "metering"]


class Meter:
    """The time of one request, in seconds; calls that overlap count once."""

    def __init__(self) -> None:
        self._born = time.perf_counter()
        self._waited = 0.0
        self._under_way = 0
        self._since = 0.0

    def enter(self) -> None:
        """A call to the model begins."""
        if not self._under_way:
            self._since = time.perf_counter()
        self._under_way += 1

    def leave(self) -> None:
        """A call to the model has ended."""
        self._under_way -= 1
        if not self._under_way:
            self._waited += time.perf_counter() - self._since

    @property
    def overhead_ms(self) -> float:
        """Milliseconds so far in which no call was under way."""
        now = time.perf_counter()
        waiting = now - self._since if self._under_way else 0.0
        return (now - self._born - self._waited - waiting) * 1e3


metering: ContextVar[Meter | None] = ContextVar("metering", default=None)
"""The meter of the request that this task works for."""


class Metered:
    """A backend that tells the request's meter and the upstream's breaker of its calls.

    `calls` are under way now; `used` is when it was of use last, by the monotonic clock.
    """

    def __init__(self, backend: Backend, breaker: Breaker) -> None:
        self.calls = 0
        self.used = time.monotonic()
        self._breaker = breaker
        self._backend = backend
        self.name = backend.name
        self.model = backend.model
        self.concurrency = backend.concurrency
        self.price = backend.price
        self._learn()

    def _learn(self) -> None:
        self.capabilities = self._backend.capabilities
        self.most_choices = self._backend.most_choices if isinstance(self._backend, Batches) else None

    async def prepare(self) -> None:
        """Look at the server, once, and learn what it can do.

        Raises:
            BackendError: the server cannot be reached, or refuses the key.
        """
        if isinstance(self._backend, Prepares):
            await self._backend.prepare()
            self._learn()

    async def generate(self, request: Request, progress: Progress) -> Completion:
        """Carry out one call.

        Raises:
            BackendError: it failed, or the upstream is left alone for now.
        """
        meter = metering.get() or Meter()
        meter.enter()
        self.calls += 1
        try:
            key, upstream = record().key, self._breaker.upstream
            with self._breaker.call(key), calling(self._backend, upstream, request, progress) as call:
                completion = await self._backend.generate(request, progress)
                if call is not None:
                    call.completion = completion
                return completion
        finally:
            self._learn()  # a model may have refused what it was thought to do
            self.calls -= 1
            self.used = time.monotonic()
            meter.leave()

    async def aclose(self) -> None:
        """Close the model behind it."""
        await self._backend.aclose()
