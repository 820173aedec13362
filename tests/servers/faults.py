"""What servers do wrong, on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

__all__ = ["NAMED", "Fault", "body", "chunk", "event", "hang", "status", "stream", "text_chunk"]

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


def stream(pieces: Sequence[bytes], then: str = "end") -> Fault:
    """An event stream in these pieces, each a write of its own; `then` is "end", "cut" or "hang"."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
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
