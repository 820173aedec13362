"""Bodies on their way from bytes to fields; the large ones are read beside the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from ponder.gateway.wire.fields import READ
from ponder.gateway.wire.spellings import refuse_variants
from ponder.gateway.wire.strict_json import read_object

__all__ = ["Body", "Reader"]

LARGE = 2**15
"""Bytes; to read as many takes five milliseconds at most."""


class Body:
    """What a client has sent: the bytes, and the fields that they are.

    Raises:
        BadRequest: they are none, or servers read them in different ways, or one is too large.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fields: dict[str, Any] = read_object(data)
        refuse_variants(self.fields, READ)

    @cached_property
    def digest(self) -> str:
        """A digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


class Reader:
    """Reads the bodies of one gateway. A key's large ones come one after the other, so keys take turns."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bodies")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, data: bytes, key: str) -> Body:
        """The body that a request of this key has.

        Raises:
            BadRequest: as `Body` says.
        """
        if len(data) <= LARGE:
            return Body(data)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, _prepared, data)

    def close(self) -> None:
        """Read no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _prepared(data: bytes) -> Body:
    body = Body(data)
    _ = body.digest
    return body
