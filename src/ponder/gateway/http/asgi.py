"""The few things of HTTP that every endpoint needs, straight on ASGI: they are on the path of each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from ponder.core.text.quoting import quoted
from ponder.gateway.errors import BadRequest, Refused
from ponder.gateway.http.error_replies import Failure

__all__ = ["Receive", "Scope", "Send", "deadline_of", "header", "read_body", "send_failure", "send_json", "token_of"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str | None:
    """A header of the request; `name` in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def token_of(scope: Scope) -> str | None:
    """The API key that the request came with."""
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else header(scope, b"x-api-key")


async def read_body(receive: Receive, most: int, take: Callable[[int], None]) -> bytes:
    """The body of the request; `take` is told the size of each piece.

    Raises:
        Refused: it has more than `most` bytes, or `take` says so; the rest is not read.
        ConnectionResetError: the client went away.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away")
        pieces.append(message.get("body", b""))
        take(len(pieces[-1]))
        size += len(pieces[-1])
        if size > most:
            raise Refused(413, "prompt_too_large", f"the body has more than {most:,} bytes")
        if not message.get("more_body"):
            return b"".join(pieces)


async def send_json(send: Send, status: int, data: Any, headers: Mapping[str, str] | None = None) -> None:
    """Answer with JSON."""
    body = msgspec.json.encode(data)
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    lines += [(name.encode(), value.encode("latin-1", "replace")) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def send_failure(send: Send, failure: Failure) -> None:
    """Answer with an error."""
    await send_json(send, failure.status, failure.body, failure.headers)


def deadline_of(scope: Scope) -> float | None:
    """The seconds in the header ``x-ponder-deadline``, None without one.

    Raises:
        BadRequest: it is no number of seconds.
    """
    text = header(scope, b"x-ponder-deadline")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise BadRequest(f"x-ponder-deadline: {quoted(text)} is no number of seconds up to 86,400", "x-ponder-deadline")
    return seconds
