"""What servers do wrong, on real sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence

from aiohttp import web

__all__ = ["NAMED", "Fault", "body", "chunk", "either", "event", "hang", "raw", "status", "stream", "text_chunk"]

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""Answers one request in place of the server."""


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def chunk(content: str, *, finish: str | None = None, index: int = 0, **fields: object) -> bytes:
    """The event for a piece of one choice; `fields` go into its delta."""
    delta = {"content": content, **fields}
    return event({"choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def text_chunk(text: str, *, finish: str | None = None, index: int = 0, **fields: object) -> bytes:
    """The event for a piece of one choice of a text completion; `fields` go next to its text."""
    return event({"choices": [{"index": index, "text": text, "finish_reason": finish, **fields}]})


async def hang(request: web.Request) -> web.StreamResponse:
    """Accept the call and never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def status(code: int, text: str = "", **headers: str) -> Fault:
    """Answer with another status; underscores in the names of `headers` stand for hyphens."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers={name.replace("_", "-"): v for name, v in headers.items()})

    return answer


def body(data: bytes, *, promised: int | None = None) -> Fault:
    """A JSON reply of these bytes. If more were `promised` in its header, the connection closes in the middle."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = promised if promised is not None else len(data)
        await response.prepare(request)
        await response.write(data)
        if promised is not None:
            _cut(request)
        return response

    return answer


def stream(pieces: Sequence[bytes], then: str = "end", content_type: str = "text/event-stream") -> Fault:
    """An event stream in these pieces, each a write of its own; `then` is "end", "cut" or "hang"."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0.001)  # so that the pieces travel apart
        if then == "hang":
            await asyncio.Event().wait()
        if then == "cut":
            _cut(request)
        return response

    return answer


def either(whole: Fault, streamed: Fault) -> Fault:
    """The one or the other, as the client has asked for a stream or not."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (streamed if (await request.json()).get("stream") else whole)(request)

    return answer


def raw(*pieces: bytes, then: Iterable[bytes] = (), pause: float = 0.0, reset: bool = False) -> Fault:
    """Bytes as they are, from the status line on, `pause` seconds after each piece; then the connection closes.

    `then` are more pieces, maybe without end. With `reset` the connection breaks instead of closing.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        for piece in itertools.chain(pieces, then):
            if transport.is_closing():
                break
            transport.write(piece)
            await asyncio.sleep(pause)
            while transport.get_write_buffer_size() > 2**20:
                await asyncio.sleep(0.01)
        if reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.close()
        return web.Response()  # to nobody

    return answer


def _cut(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.close()


NAMED: dict[str, Fault] = {
    "hang": hang,
    "hang-midstream": stream([chunk("Once"), chunk(" upon")], "hang"),
    "cut-midstream": stream([chunk("Once"), chunk(" upon")], "cut"),
    "half-json": body(b'{"choices": [{"index": 0, "mess'),
    "not-utf8": body(b'{"choices": [{"message": {"content": "caf\xe9"}}]}'),
    "401": status(401, '{"error": {"message": "Invalid key"}}'),
    "404": status(404, '{"error": {"message": "The model does not exist"}}'),
    "429": status(429, '{"error": {"message": "Slow down"}}', Retry_After="7"),
    "500": status(500, "Internal Server Error"),
    "503": status(503, '{"error": {"message": "Loading model", "code": 503}}'),
}
"""Faults by name, for the command line."""
