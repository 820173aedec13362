"""What the body of a reply turns out to be: a stream of events or one piece, whatever its label says."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ponder.backends.openai.events import BOM, EVENT_STREAM
from ponder.backends.openai.pace import Pace

__all__ = ["ReplyBody"]

_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""What a line of an event stream begins with."""


class ReplyBody:
    """The bytes of a reply, without a byte-order mark and the white space before its first character.

    What they bring is told to `pace` by whoever reads a stream; one piece has to come without a pause to speak of.

    Raises:
        CallTimeout: it does not get on.
    """

    def __init__(self, pieces: AsyncIterator[bytes], content_type: str, pace: Pace) -> None:
        self._pieces = pieces
        self._content_type = content_type
        self._pace = pace
        self._begun = b""

    async def is_stream(self) -> bool:
        """Whether it is a stream of events, once enough of it has come to tell."""
        async for piece in self._pieces:
            self._pace.came()
            self._begun += piece
            if BOM.startswith(self._begun):
                continue
            self._begun = self._begun.removeprefix(BOM).lstrip()
            found = self._told()
            if found is not None:
                self._pace.moved()
                return found
        return self._content_type == EVENT_STREAM

    def _told(self) -> bool | None:
        start = self._begun
        if not start:
            return None
        if self._content_type == EVENT_STREAM:
            return start[:1] not in (b"{", b"[")
        if start.startswith(_FIELDS):
            return True
        return None if any(field.startswith(start) for field in _FIELDS) else False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._begun:
            yield self._begun
        async for piece in self._pieces:
            self._pace.came()
            yield piece

    async def whole(self) -> bytes:
        """All of it, up to its end."""
        return b"".join([piece async for piece in self])
