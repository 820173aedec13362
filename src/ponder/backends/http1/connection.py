"""One connection to a server, and the responses that come over it (RFC 9112)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from ponder.backends.http1.failures import Broken, CallFailed, Malformed, Silent

__all__ = ["Connection", "Headers", "Response"]

LARGEST_HEAD = 2**16
"""Bytes in which the first line and the headers of a message have to come, trailers included."""

FRAMING = 16
"""Bytes beside the body for each byte of it: the least pieces that it may come in have five."""

MOST_HEADERS = 256
"""Each takes some hundred bytes of memory, however short it is."""

READ_AHEAD = 2**18
"""Bytes of a body that wait in memory; then the server has to, until somebody takes them."""

DRAIN_SECONDS = 1.0

Headers = Sequence[tuple[bytes, bytes]]
"""Names and values."""


class Response:
    """What a server answers. `status` and `headers`, whose names are in lower case, are there after `Connection.ask`.

    To iterate over it gives the body as it comes. When no more can come, after all that has come was taken, it fails
    with `CallFailed`.
    """

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._connection = connection
        self._loop = loop
        self._seconds = seconds
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._in_head = True
        self._received = self._body = 0
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._complete = False
        self._keeps = False
        self._failure: CallFailed | None = None
        self._wake: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> str:
        """The value of a header, the first if there are several; "" without one."""
        return next((value.decode("latin-1") for known, value in self.headers if known == name), "")

    @property
    def content_type(self) -> str:
        """The media type, without its parameters."""
        return self.header(b"content-type").partition(";")[0].strip().lower()

    @property
    def packed(self) -> bool:
        """Whether the body would have to be unpacked."""
        return self.header(b"content-encoding").strip().lower() not in ("", "identity")

    @property
    def leaves_free(self) -> bool:
        """Whether all of it has come, and the connection may be used again."""
        return self._complete and self._keeps and self._failure is None

    async def head(self) -> None:
        """Wait for `status` and `headers`."""
        while self._in_head:
            await self._more()

    async def piece(self) -> bytes:
        """What has come of the body since the last time, or what comes next; nothing at its end."""
        while not self._pieces:
            if self._complete:
                return b""
            await self._more()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._connection.resume()
        return data

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> bytes:
        if data := await self.piece():
            return data
        raise StopAsyncIteration

    def hurry(self, seconds: float) -> None:
        """From now on the server may be silent for no more than `seconds`."""
        self._seconds = min(self._seconds, seconds)

    async def drain(self) -> None:
        """Wait a moment for the end of the body, because only a connection that is read to its end is used again."""
        self.hurry(DRAIN_SECONDS)
        try:
            if not self._complete:
                await self.piece()
        except CallFailed:
            return

    async def _more(self) -> None:
        """Wait until something has come."""
        if self._failure is not None:
            raise self._failure
        self._wake = self._loop.create_future()
        patience = self._loop.call_later(self._seconds, self._give_up)
        try:
            await self._wake
        finally:
            patience.cancel()
            self._wake = None

    def feed(self, data: bytes) -> None:
        """Take bytes that came."""
        if self._parser is None:
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            cause = error.__context__
            self.fail(cause if isinstance(cause, Malformed) else Malformed(str(error)))
            return
        if self._complete:
            self._parser = None  # the two know each other, and would be left to the garbage collector
        if not self._complete and self._received - self._body > LARGEST_HEAD + FRAMING * self._body:
            self.fail(Malformed(f"more than {LARGEST_HEAD} bytes of headers"))
        if self._waiting > READ_AHEAD and not self._complete:
            self._connection.pause()
        self._notify()

    def end(self, error: Exception | None) -> None:
        """The server has closed the connection: for some that is how a body ends."""
        if self._ends_with_connection and error is None:
            self._complete = True
            self._notify()
        elif not self._complete:
            self.fail(Broken(begun=self._received > 0))

    def fail(self, failure: CallFailed) -> None:
        """Nothing can come any more."""
        self._failure = self._failure or failure
        self._parser = None
        self._connection.abort()
        self._notify()

    def _give_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self.fail(Silent(self._seconds))

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    @property
    def _ends_with_connection(self) -> bool:
        """Whether its length is told by nothing else (RFC 9112, section 6.3)."""
        return not (self._in_head or self.header(b"content-length") or self.header(b"transfer-encoding"))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A response begins."""
        if self._complete:  # nobody has asked for another
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or after the body a trailer, which nobody asks for."""
        if self._in_head:
            if len(self.headers) == MOST_HEADERS:
                raise Malformed(f"more than {MOST_HEADERS} headers")
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The body follows, or after an interim response the real one."""
        assert self._parser is not None, "it is the parser that calls"
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()
        elif self._in_head:
            self.status = status
            self._in_head = False

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._complete:
            self._pieces.append(data)
            self._body += len(data)
            self._waiting += len(data)

    def on_message_complete(self) -> None:
        """The body is whole."""
        if not self._in_head and not self._complete:
            assert self._parser is not None, "it is the parser that calls"
            self._complete = True
            self._keeps = self._parser.should_keep_alive()


class Connection(asyncio.Protocol):
    """Carries one request after another."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._open = False
        self._paused = False

    @property
    def is_free(self) -> bool:
        """Whether another request may go over it."""
        return self._open and self._response is not None and self._response.leaves_free

    async def ask(self, request: bytes, seconds: float) -> Response:
        """Send a request, and wait for the head of its response; the server may be silent for `seconds`.

        Raises:
            CallFailed: there is none.
        """
        assert self._transport is not None, "it was opened by an event loop"
        self._response = response = Response(self, self._loop, seconds)
        if not self._open:
            raise Broken(begun=False)
        self.resume()
        self._transport.write(request)
        await response.head()
        return response

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS."""
        assert self._transport is not None, "it was opened by an event loop"
        self._response = None
        self._transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)

    def abort(self) -> None:
        """Close it at once."""
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Let the server wait."""
        if self._open and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Let it go on."""
        if self._paused:
            self._paused = False
            if self._open and self._transport is not None:
                self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast(asyncio.Transport, transport)
        self._open = True

    def data_received(self, data: bytes) -> None:
        """The server says something; between two requests it has nothing to say."""
        if self._response is None or self._response.leaves_free:
            self.abort()
        else:
            self._response.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed."""
        self._open = False
        if self._response is not None:
            self._response.end(error)
