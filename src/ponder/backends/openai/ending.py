"""How long a stream is waited for once every choice has ended: its usage may follow, and its end mark may not."""

from __future__ import annotations

import asyncio

from ponder.backends.http1.connection import Response

__all__ = ["SECONDS", "Ending"]

SECONDS = 10.0
"""A server that sends the usage does it at once; what comes after this is not waited for."""


class Ending:
    """The end of one stream; it begins when `is_over` is asked for the first time."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._until: float | None = None

    def is_over(self) -> bool:
        """Whether the server has had its time, keep-alives or not; from now on its silence ends the stream soon."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + SECONDS
            self._response.hurry(SECONDS)
        return now >= self._until
