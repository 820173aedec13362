"""A reply has to get on: signs of life without anything to read end it after a while."""

from __future__ import annotations

import asyncio

from ponder.backends.openai.failures import Place
from ponder.core.errors import CallTimeout

__all__ = ["PIECES", "Pace"]

PIECES = 32
"""So many pieces without anything to read, in more time than a server may be silent, are no progress.

Both: a server that works for long and says so now and then is not given up, and no server can hold a call for longer
than it takes to send so many pieces with the longest silence between them.
"""


class Pace:
    """How one reply gets on; the server may be silent for `seconds`."""

    def __init__(self, place: Place, seconds: float) -> None:
        self._place = place
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self.moved()

    def moved(self) -> None:
        """Something to read has come: text that is not white space, or an end."""
        self._pieces = 0
        self._since = self._loop.time()

    def came(self) -> None:
        """A piece has come, whatever it holds.

        Raises:
            CallTimeout: it has been for too long that there was anything to read.
        """
        self._pieces += 1
        if self._pieces > PIECES and self._loop.time() - self._since > self._seconds:
            raise CallTimeout(
                f"{self._place} has sent nothing to read for {self._seconds:g} seconds, only white space and signs of "
                "life; the call is given up"
            )
