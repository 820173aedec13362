"""Who may use the runtime next."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Gate"]


class Gate:
    """Hands out the runtime's slots (sequences decoded together) and the tokens of context that they share.

    The runtime itself fails every sequence when its context is full, and lets a call that waits for a slot be
    cancelled only once it runs; so nothing is sent to it for which there is no room. First come, first served.
    """

    def __init__(self, slots: int, context: int) -> None:
        self.slots = slots
        self.context = context
        self._queue: deque[asyncio.Event] = deque()

    async def take(self, most: int, prompt: int, each: int) -> int:
        """Wait until at least one sequence fits, and take between 1 and `most` of them.

        Each takes a slot and `each` tokens; the `prompt`'s tokens are shared. Both go back with `give`.
        """
        turn = asyncio.Event()
        self._queue.append(turn)
        try:
            while self._queue[0] is not turn or not (count := self._room(most, prompt, each)):
                turn.clear()
                await turn.wait()
        finally:
            self._queue.remove(turn)
            self._next()
        self.give(-count, -prompt - count * each)
        return count

    def give(self, slots: int, tokens: int) -> None:
        """Take `slots` and `tokens` back."""
        self.slots += slots
        self.context += tokens
        self._next()

    def _room(self, most: int, prompt: int, each: int) -> int:
        return max(0, min(most, self.slots, (self.context - prompt) // max(1, each)))

    def _next(self) -> None:
        if self._queue:
            self._queue[0].set()
