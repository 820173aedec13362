"""How much of what clients send is held in memory: all of it is, from its first byte to the end of the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ponder.gateway.errors import Refused

__all__ = ["Bodies"]


class Bodies:
    """The bodies of the requests that are not answered yet: at most so many bytes.

    A key takes a piece only if it holds no more than is left after it (dynamic thresholds: Choudhury and Hahne 1998,
    "Dynamic queue length thresholds for shared-memory packet switches"). It follows, however requests come and end:

    - no key holds more than a half of all;
    - while n keys hold something, at least all / 2**n is left. The key that grew last holds at most what is left, the
      one before it at most that and what the last one holds, and so on: each at most twice what the next one may. The
      bound is reached when each of them takes all that it may. What holds when a key grows need not hold later: others
      take from what was left then.

    So there is always something left for another key, a half of the rest.
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
