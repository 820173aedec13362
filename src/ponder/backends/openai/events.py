"""Server-sent events (WHATWG HTML, section 9.2): the payloads in a stream of bytes."""

from __future__ import annotations

__all__ = ["DONE", "Events"]

DONE = b"[DONE]"
"""The payload that ends the stream of a completion."""


_BOM = b"\xef\xbb\xbf"


class Events:
    """Cuts a stream into the payloads of its ``data:`` fields, however the bytes are chunked.

    Lines may end in LF, CRLF or CR; comments and other fields are skipped; several data lines make one payload.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads that `chunk` completes; an event that no empty line ends is completed by `close`."""
        if not self._begun and len(self._rest) + len(chunk) >= len(_BOM):
            chunk, self._rest = (bytes(self._rest) + chunk).removeprefix(_BOM), bytearray()
            self._begun = True
        elif not self._begun:
            self._rest += chunk
            return []
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
