"""Who goes next when all slots are taken: every key in its turn, by what it has had, not by how much it asks for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType

from ponder.gateway.errors import Refused

__all__ = ["FairQueue", "Slots"]


@dataclass(slots=True, eq=False)
class _Waiter:
    weight: int
    turn: asyncio.Future[None]
    since: float


@dataclass(slots=True)
class _Line:
    """The waiting requests of one key, and the virtual time at which the next of them may start."""

    start: float = 0.0
    waiting: deque[_Waiter] = field(default_factory=deque)


class FairQueue:
    """`capacity` slots for branches, and room for `longest` requests to wait for some, at most `patience` seconds.

    Start-time fair queueing (Goyal, Vin and Cheng 1996): a key that has had w slots starts w later in virtual time, and
    the earliest start goes first. So of two keys that always have requests waiting neither gets more slots than the
    other, but for the size of one request; and one that comes once in a while does not wait behind the others' lines.
    When the queue is full, the youngest request of the longest line makes room. It lives in one event loop.
    """

    def __init__(self, capacity: int, longest: int, patience: float) -> None:
        self.capacity = capacity
        self.free = capacity
        self.closed = False
        self._longest = longest
        self._patience = patience
        self._lines: dict[str, _Line] = {}
        self._now = 0.0
        self._latest_wait = 0.0

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(line.waiting) for line in self._lines.values())

    def slots(self, key: str, weight: int, seconds: float | None = None) -> Slots:
        """`weight` slots, or all there are if those are fewer, for the time of an ``async with``.

        It waits for them until there is no patience any more, and at most for `seconds`.

        Raises:
            Refused: the queue is full or closed, or the wait took too long.
        """
        patience = self._patience if seconds is None else min(seconds, self._patience)
        return Slots(self, key, min(weight, self.capacity), patience)

    def close(self) -> None:
        """Let nobody in any more; who waits is refused."""
        self.closed = True
        for line in self._lines.values():
            while line.waiting:
                _refuse(line.waiting.pop(), _shutting_down())
        self._lines.clear()

    async def enter(self, key: str, weight: int, patience: float) -> None:
        """Wait for slots, and take them; `leave` has to follow."""
        if self.closed:
            raise _shutting_down()
        line = self._lines.get(key) or self._lines.setdefault(key, _Line())
        if not line.waiting:
            line.start = max(line.start, self._now)
        if weight <= self.free and not self.waiting:
            self._admit(line, weight, 0.0)
            return
        waiter = _Waiter(weight, asyncio.get_running_loop().create_future(), time.monotonic())
        line.waiting.append(waiter)
        if self.waiting > self._longest:
            fullest = max(self._lines.values(), key=lambda one: len(one.waiting))
            # Where lines are equally long, whoever comes now has to go.
            last = (line if len(line.waiting) == len(fullest.waiting) else fullest).waiting.pop()
            _refuse(last, self._refusal("all slots are taken and the queue is full"))
        try:
            async with asyncio.timeout(patience):
                await waiter.turn
        except TimeoutError:
            self._give_up(line, waiter)
            raise self._refusal(f"all slots were taken for {patience:g} s") from None
        except asyncio.CancelledError:
            self._give_up(line, waiter)
            raise

    def leave(self, weight: int) -> None:
        """Give slots back."""
        self.free += weight
        self._let_in()

    def _give_up(self, line: _Line, waiter: _Waiter) -> None:
        """The waiter has gone away; what it was given in the same moment goes to the next."""
        if waiter in line.waiting:
            line.waiting.remove(waiter)
        elif waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
            self.free += waiter.weight
        self._let_in()

    def _let_in(self) -> None:
        while lines := [line for line in self._lines.values() if line.waiting]:
            line = min(lines, key=lambda one: one.start)
            first = line.waiting[0]
            if first.turn.cancelled():
                line.waiting.popleft()
                continue
            # It waits until it fits: if smaller ones went past, a large one might never get its turn.
            if first.weight > self.free:
                return
            line.waiting.popleft()
            self._admit(line, first.weight, time.monotonic() - first.since)
            first.turn.set_result(None)
        self._forget()

    def _admit(self, line: _Line, weight: int, waited: float) -> None:
        self.free -= weight
        self._now = line.start
        line.start += weight
        self._latest_wait = waited

    def _forget(self) -> None:
        """Keys without requests that have had no more than their share begin anew when they come again."""
        for key in [key for key, line in self._lines.items() if line.start <= self._now]:
            del self._lines[key]

    def _refusal(self, why: str) -> Refused:
        return Refused(503, "overloaded", f"{why}; try again later", retry_after=max(1.0, self._latest_wait))


class Slots:
    """Some slots, held inside of an ``async with``."""

    def __init__(self, queue: FairQueue, key: str, weight: int, patience: float) -> None:
        self._queue = queue
        self._key = key
        self._weight = weight
        self._patience = patience

    async def __aenter__(self) -> None:
        await self._queue.enter(self._key, self._weight, self._patience)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.leave(self._weight)


def _shutting_down() -> Refused:
    return Refused(503, "shutting_down", "the gateway is shutting down", retry_after=1.0)


def _refuse(waiter: _Waiter, why: Refused) -> None:
    if not waiter.turn.done():
        waiter.turn.set_exception(why)
