"""Who may use the slots and the KV cache."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Room"]


class Room:
    """Slots and KV cache cells, given out in the order of asking.

    A piece of work that found no place in the runtime would fail there, or take the place of another.
    """

    def __init__(self, slots: int, cells: int) -> None:
        self._slots, self._cells = slots, cells
        self._waiting: deque[tuple[int, int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, slots: int, cells: int) -> AsyncIterator[None]:
        """Hold so many slots and cells inside the block."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((slots, cells, turn))
        self._admit()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it was our turn, and nobody came
                self._give_back(slots, cells)
            else:
                self._waiting = deque(entry for entry in self._waiting if entry[2] is not turn)
                self._admit()
            raise
        try:
            yield
        finally:
            self._give_back(slots, cells)

    def _give_back(self, slots: int, cells: int) -> None:
        self._slots += slots
        self._cells += cells
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            slots, cells, turn = self._waiting[0]
            if slots > self._slots or cells > self._cells:
                return
            self._waiting.popleft()
            self._slots -= slots
            self._cells -= cells
            turn.set_result(None)
