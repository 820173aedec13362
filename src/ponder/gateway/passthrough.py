"""Requests that go to the upstream as they came, and its answers back: bytes, over connections that are kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ponder.backends.openai.address import Address
from ponder.backends.openai.failures import Place, from_exception, from_status
from ponder.backends.openai.transport import CONNECT_SECONDS, LARGEST_REPLY, proxy_for
from ponder.core.backend import Price
from ponder.core.errors import BackendError, BrokenReply, CallTimeout, Unreachable
from ponder.gateway.admission import Permit
from ponder.gateway.booking import Books
from ponder.gateway.breaker import Breaker
from ponder.gateway.config import Upstream
from ponder.gateway.failures import failure_of
from ponder.gateway.http import Scope, Send
from ponder.gateway.models import Served
from ponder.gateway.stream import DONE, event

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["Passing", "Passthrough", "Relayed"]

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""RFC 9110, section 7.6.1: they are about one connection, not about the message."""

_OURS = frozenset(b"host content-length authorization x-api-key cookie accept-encoding expect".split())
"""Of the client's headers: what was meant for the gateway, and what the client library sets itself."""


_ENDS_OF_EVENT = (b"\n\n", b"\r\n\r\n", b"\r\r")

LARGEST_EVENT = 2**22


class Relayed(Unreachable):
    """The upstream says that it has failed, in its own words, which go to the client if nothing takes its place."""

    def __init__(self, message: str, head: dict[str, Any], data: bytes) -> None:
        super().__init__(message)
        self._head = head
        self._data = data

    async def send(self, send: Send) -> None:
        """Pass them on."""
        await send(self._head)
        await send({"type": "http.response.body", "body": self._data})


@dataclass(frozen=True, slots=True)
class Passing:
    """A request on its way: to `path` below an upstream's base URL, whose breaker is told how it went.

    `headers` go to the client with the answer; `price` is that of the model, None if nobody knows it.
    """

    path: str
    body: bytes
    breaker: Breaker
    price: Price | None
    headers: Mapping[str, str] = field(default_factory=dict)


class Passthrough:
    """Forwards requests over one session for all upstreams."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    def open(self) -> None:
        """Open the session, in the running event loop."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept"),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def forward(self, to: Served, request: Passing, scope: Scope, send: Send, permit: Permit) -> None:
        """Send a request to an upstream, and its answer to the client.

        What was received is booked on the permit, also when the client goes away, which cancels the call.

        Raises:
            BackendError: the upstream cannot be reached, or its answer is broken; nothing was sent to the client.
        """
        books = Books(request.body)
        answer = _Answer(send, books, _place(to.upstream, to.model), request.headers)
        try:
            with request.breaker.call():
                await self._exchange(to.upstream, request, scope, permit, answer)
        except BackendError as error:
            if not answer.begun:
                raise
            await send({"type": "http.response.body", "body": event(failure_of(error).body) + DONE})
        finally:
            permit.settle(books.bill(request.price))

    async def _exchange(
        self, upstream: Upstream, request: Passing, scope: Scope, permit: Permit, answer: _Answer
    ) -> None:
        import aiohttp

        assert self._session is not None, "open() comes first"
        address = Address.of(upstream.url)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=upstream.timeout)
        try:
            async with (
                asyncio.timeout(permit.budget.seconds) as deadline,
                self._session.post(
                    address.url + request.path, data=request.body, headers=_headers(scope, address, upstream),
                    timeout=timeout, allow_redirects=False, proxy=proxy_for(address.root),
                ) as response,
            ):  # fmt: skip
                await answer.relay(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, TimeoutError) and deadline.expired():
                late = f"{answer.place} had no answer within {permit.budget.seconds:g} seconds"
                raise CallTimeout(late) from None
            raise from_exception(answer.place, error, upstream.timeout) from None


def _place(upstream: Upstream, model: str) -> Place:
    address, key = Address.of(upstream.url), _key(upstream)
    return Place(address.url, model, "it asks for another key", [key] if key else [])


def _key(upstream: Upstream) -> str:
    return os.environ.get(upstream.key_env or "", "").strip()


def _headers(scope: Scope, address: Address, upstream: Upstream) -> list[tuple[str, str]]:
    """The client's headers without those of its own connection, and the upstream's key in the place of its own."""
    named = [value for name, value in scope["headers"] if name == b"connection"]
    dropped = _HOP_BY_HOP | _OURS | {name.strip().lower() for value in named for name in value.split(b",")}
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in dropped
    ]
    # Unpacked replies could be any size, and their usage has to be read.
    headers.append(("Accept-Encoding", "identity"))
    key = _key(upstream)
    if address.authorization or key:
        headers.append(("Authorization", address.authorization or f"Bearer {key}"))
    return headers


class _Answer:
    """Relays the upstream's answer; `begun` once a part of it is on its way to the client."""

    def __init__(self, send: Send, books: Books, place: Place, headers: Mapping[str, str]) -> None:
        self.place = place
        self.begun = False
        self._send = send
        self._books = books
        self._headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]

    async def relay(self, response: ClientResponse) -> None:
        """Send it on."""
        if response.content_type == "text/event-stream":
            await self._stream(response)
        else:
            await self._whole(response)

    def _head(self, response: ClientResponse, skip: Iterable[bytes] = ()) -> dict[str, Any]:
        dropped = _HOP_BY_HOP | {b"date", b"server", *skip}
        headers = [(name.lower(), value) for name, value in response.raw_headers if name.lower() not in dropped]
        return {"type": "http.response.start", "status": response.status, "headers": headers + self._headers}

    async def _whole(self, response: ClientResponse) -> None:
        """An answer in one piece. It is read before any is sent: what turns out to be broken becomes an error."""
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_REPLY:
                raise BrokenReply(f"{self.place} sent more than {LARGEST_REPLY // 2**20} MB; the reply is dropped")
        data = b"".join(pieces)
        if 300 <= response.status < 400:  # a client that followed it would show its key to another server
            raise from_status(self.place, response.status, response.headers, "")
        if response.status == 200:
            try:
                str(data, "utf-8")
                self._books.take_reply(data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise BrokenReply(f"{self.place} gave a reply that is no completion: {size} bytes") from None
        head = self._head(response, [b"content-length"])
        head["headers"].append((b"content-length", str(size).encode()))
        if response.status >= 500:
            raise Relayed(f"{self.place} answered {response.status}", head, data)
        await self._send(head)
        await self._send({"type": "http.response.body", "body": data})

    async def _stream(self, response: ClientResponse) -> None:
        """A stream, event by event: half of one is nothing that a client can read, should the rest not come."""
        self.begun = True
        await self._send(self._head(response))
        rest = b""
        async for piece in response.content.iter_any():
            self._books.take_piece(piece)
            data = rest + piece
            end = max(data.rfind(mark) + len(mark) if mark in data else 0 for mark in _ENDS_OF_EVENT)
            rest = data[end:]
            if end:
                await self._send({"type": "http.response.body", "body": data[:end], "more_body": True})
            if len(rest) > LARGEST_EVENT:
                raise BrokenReply(f"{self.place} sent an event of more than {LARGEST_EVENT // 2**20} MB")
        if not self._books.ended:
            raise BrokenReply(f"{self.place} closed the stream before its end")
        await self._send({"type": "http.response.body", "body": rest})
