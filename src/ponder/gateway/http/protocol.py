"""HTTP with bounds on what a client may keep the server waiting for, or in memory; uvicorn's own has none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ponder.backends.http1.connection import FRAMING, LARGEST_HEAD, MOST_HEADERS
from ponder.gateway.cors import readable_by
from ponder.gateway.http.asgi import Scope
from ponder.gateway.http.disconnect import Departure
from ponder.gateway.http.error_replies import Failure
from ponder.gateway.http.packets import WholeHeads

__all__ = ["Bounded"]

PATIENCE = 60.0
"""Seconds in which a whole request has to come, its body included; and in which a client has to read `LEAST_READ`."""

LEAST_READ = 60 * 1024
"""Bytes; what is written to a client that does not read is kept until it does."""

_FULL = Failure(503, "too many connections; use fewer, or try again", "overloaded", headers={"retry-after": "1"})
_TOO_LARGE = Failure(
    431, f"at most {MOST_HEADERS} headers of {LARGEST_HEAD // 1024} KiB together are taken", "headers_too_large"
)


class Bounded(HttpToolsProtocol):
    """One of at most so many connections; pages of these `origins` may read what is answered here.

    Who sends or reads too slowly loses it, and so does a client whose headers do not end.
    """

    def __init__(self, *args: Any, most: int, origins: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = most
        self._origins = origins
        self._departure = Departure()
        self._pending = False
        self._received = self._body = self._head = 0
        self._unread = 0
        self._coming: asyncio.TimerHandle | None = None
        self._going: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and has to say what it wants."""
        super().connection_made(cast(asyncio.Transport, WholeHeads(transport, self.loop)))
        if len(self.connections) > self._most:
            self._refuse(_FULL)
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_awaiting()
        self._stop_watching()
        super().connection_lost(exc)
        self._departure.happen()

    def data_received(self, data: bytes) -> None:
        """It says more."""
        self._received += len(data)
        super().data_received(data)
        too_large = self._received - self._body > LARGEST_HEAD + FRAMING * self._body
        if self._pending and too_large:
            self._refuse(_TOO_LARGE)
        if self._pending and self._coming is None:
            self._await_request()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._pending = True
        self._received = self._body = self._head = 0
        super().on_message_begin()
        self._departure.join(cast(Scope, self.scope))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers, or of the trailers behind its body."""
        self._head += len(name) + len(value)
        if len(self.headers) == MOST_HEADERS or self._head > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)
            raise ValueError("too many or too large headers")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is there."""
        self._pending = False
        self._stop_awaiting()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What it says is no HTTP."""
        self._refuse(Failure(400, msg, "bad_request"))

    def _refuse(self, failure: Failure) -> None:
        """Answer at once, whatever else the client has to say."""
        if self.transport.is_closing():
            return
        body = json.dumps(failure.body).encode()
        origin = next((value for name, value in (self.headers or ()) if name == b"origin"), None)
        headers = {
            **failure.headers, "connection": "close", "content-type": "application/json",
            "content-length": str(len(body)), **readable_by(self._origins, origin),
        }  # fmt: skip
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        begin = f"HTTP/1.1 {failure.status} {HTTPStatus(failure.status).phrase}\r\n{lines}\r\n"
        self.transport.write(begin.encode("latin-1") + body)
        self.transport.close()

    def _await_request(self) -> None:
        self._coming = self.loop.call_later(PATIENCE, self._late)

    def _stop_awaiting(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _late(self) -> None:
        if self.pipeline:  # it is not read while those before it are answered
            self._await_request()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """It has read what there was."""
        self._stop_watching()
        super().resume_writing()

    def _watch_reading(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._going = self.loop.call_later(PATIENCE, self._look_at_reading)

    def _stop_watching(self) -> None:
        if self._going is not None:
            self._going.cancel()
            self._going = None

    def _look_at_reading(self) -> None:
        if self._unread - self.transport.get_write_buffer_size() < LEAST_READ:
            self.transport.abort()
        else:
            self._watch_reading()
