"""Signs of life, for whoever looks at a pipe or a log: a line on standard error from time to time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ponder.cli.shell import say
from ponder.core.errors import UsageError

__all__ = ["NEXT_SIGN", "first_sign", "signs"]

FIRST_SIGN, NEXT_SIGN = 5.0, 30.0
"""Seconds until work that shows nothing by itself says that it is under way, and between two such signs.

``PONDER_SIGN_AFTER`` sets the first.
"""


def first_sign() -> float:
    """Seconds until the first sign.

    Raises:
        UsageError: the variable holds no such number.
    """
    given = os.environ.get("PONDER_SIGN_AFTER") or FIRST_SIGN
    try:
        return float(given)
    except ValueError:
        raise UsageError(f"PONDER_SIGN_AFTER: {given!r:.60} is no number of seconds") from None


@contextmanager
def signs(words: Callable[[], str]) -> Iterator[None]:
    """Around work that blocks: a thread says `words` from time to time.

    Raises:
        UsageError: see `first_sign`.
    """
    first, over = first_sign(), threading.Event()

    def beat() -> None:
        pause = first
        while not over.wait(pause):
            say(words())
            pause = NEXT_SIGN

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
