"""Server-sent events (WHATWG HTML, section 9.2): the payloads in a stream of bytes."""

from __future__ import annotations

__all__ = ["BOM", "DONE", "EVENT_STREAM", "Events", "Framing"]

EVENT_STREAM = "text/event-stream"

DONE = b"[DONE]"
"""The payload that ends the stream of a completion."""

BOM = b"\xef\xbb\xbf"
"""The byte-order mark, with which a stream may begin, and a body in one piece does in spite of RFC 8259."""

_MARKS = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Events:
    """Cuts a stream into the payloads of its ``data:`` fields, however the bytes are chunked.

    Lines may end in LF, CRLF or CR; comments and other fields are skipped; several data lines make one payload.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads that `chunk` completes; an event that no empty line ends is completed by `close`."""
        if self._after_cr and chunk:  # the other half of a CRLF ends no line of its own
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._rest += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            return []
        lines = bytes(self._rest).splitlines(keepends=True)
        self._after_cr = lines[-1].endswith(b"\r")
        self._rest = bytearray() if lines[-1].endswith((b"\n", b"\r")) else bytearray(lines.pop())
        return self._payloads(lines)

    def close(self) -> list[bytes]:
        """The payload of a last event that no empty line ends."""
        rest, self._rest = bytes(self._rest), bytearray()
        return self._payloads([rest, b""])

    def _payloads(self, lines: list[bytes]) -> list[bytes]:
        found = []
        for line in lines:
            line = line.rstrip(b"\r\n")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line:
                found.append(b"\n".join(self._data))
                self._data.clear()
        return [payload for payload in found if payload]


class Framing:
    """Cuts a stream into parts that hold whole events, with their bytes as they came."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def waiting(self) -> int:
        """How many bytes of the next event have come."""
        return len(self._held)

    def feed(self, piece: bytes) -> bytes:
        """All up to the end of the last event that is complete; nothing if `piece` completes none."""
        new = max(0, len(self._held) - 3)  # an event may come in any number of pieces: what was searched, is not again
        self._held += piece
        end = max(self._held.rfind(mark, new) + len(mark) if mark in self._held[new:] else 0 for mark in _MARKS)
        data = bytes(self._held[:end])
        del self._held[:end]
        return data

    def close(self) -> bytes:
        """What is left, as an event, though no empty line ends it."""
        return bytes(self._held) + b"\n\n" if self._held else b""
