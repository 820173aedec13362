"""How much of what clients send is held in memory: all of it is, from its first byte to the end of the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ponder.gateway.caps import Refused

__all__ = ["Bodies"]


class Bodies:
    """The bodies of the requests that are not answered yet: at most so many bytes.

    A key may hold no more than is left, so that there is always something left for another one (dynamic thresholds:
    Choudhury and Hahne 1998, "Dynamic queue length thresholds for shared-memory packet switches").
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._held: Counter[str] = Counter()

    @contextmanager
    def of(self, key: str) -> Iterator[Callable[[int], None]]:
        """For the time of one request of this key; call what it gives with the size of each piece that comes.

        Raises:
            Refused: that piece is too much.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._held[key] + size > self._left - size:
                raise Refused(503, "overloaded", "too much is sent at the same time; try again", retry_after=1.0)
            self._held[key] += size
            self._left -= size
            taken += size

        try:
            yield take
        finally:
            self._held[key] -= taken
            self._left += taken
            if not self._held[key]:
                del self._held[key]
