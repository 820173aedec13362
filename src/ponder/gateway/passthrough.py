"""Requests that go to the upstream as they came, and its answers back: bytes, over connections that are kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from ponder.backends.openai.address import Address
from ponder.backends.openai.failures import Place, from_exception, from_status
from ponder.backends.openai.transport import CONNECT_SECONDS, LARGEST_REPLY, proxy_for
from ponder.core.backend import Price
from ponder.core.errors import BackendError, BrokenReply, CallTimeout
from ponder.gateway.admission import Permit
from ponder.gateway.booking import Books
from ponder.gateway.config import Upstream
from ponder.gateway.failures import failure_of
from ponder.gateway.http import Scope, Send
from ponder.gateway.stream import DONE, event

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["Passthrough"]

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""RFC 9110, section 7.6.1: they are about one connection, not about the message."""

_OURS = frozenset(b"host content-length authorization x-api-key cookie accept-encoding expect".split())
"""Of the client's headers: what was meant for the gateway, and what the client library sets itself."""


_ENDS_OF_EVENT = (b"\n\n", b"\r\n\r\n", b"\r\r")

LARGEST_EVENT = 2**22


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

    async def forward(
        self, upstream: Upstream, model: str, path: str, body: bytes, scope: Scope, send: Send, permit: Permit,
        price: Price | None,
    ) -> None:  # fmt: skip
        """Send `body` to `path` below the upstream's base URL, and its answer to the client.

        What was received is booked on the permit, also when the client goes away, which cancels the call.

        Raises:
            BackendError: the upstream cannot be reached or its answer is broken; nothing was sent to the client.
        """
        import aiohttp

        assert self._session is not None, "open() comes first"
        address = Address.of(upstream.url)
        books = Books(body)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=upstream.timeout)
        begun = False
        try:
            async with (
                asyncio.timeout(permit.budget.seconds),
                self._session.post(
                    address.url + path, data=body, headers=_headers(scope, address, upstream), timeout=timeout,
                    allow_redirects=False, proxy=proxy_for(address.root),
                ) as response,
            ):  # fmt: skip
                if response.content_type == "text/event-stream":
                    begun = True
                    await _stream(response, send, books)
                else:
                    await _whole(response, send, books, _place(upstream, model))
        except (aiohttp.ClientError, TimeoutError, BackendError) as error:
            failure = self._translated(error, upstream, model, permit)
            if not begun:
                raise failure from None
            await send({"type": "http.response.body", "body": _broken_off(failure), "more_body": False})
        finally:
            permit.settle(books.bill(price))

    def _translated(self, error: Exception, upstream: Upstream, model: str, permit: Permit) -> BackendError:
        if isinstance(error, BackendError):
            return error
        place = _place(upstream, model)
        if isinstance(error, TimeoutError) and not hasattr(error, "errno"):
            return CallTimeout(f"{place} had no answer within {permit.budget.seconds:g} seconds")
        return from_exception(place, error, upstream.timeout)


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


def _head(response: ClientResponse, skip: Iterable[bytes] = ()) -> dict[str, Any]:
    dropped = _HOP_BY_HOP | {b"date", b"server", *skip}
    headers = [(name.lower(), value) for name, value in response.raw_headers if name.lower() not in dropped]
    return {"type": "http.response.start", "status": response.status, "headers": headers}


async def _whole(response: ClientResponse, send: Send, books: Books, place: Place) -> None:
    """An answer in one piece. It is read before any of it is sent: what turns out to be broken becomes an error."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_REPLY:
            raise BrokenReply(f"{place} sent more than {LARGEST_REPLY // 2**20} MB; the reply is dropped")
    data = b"".join(pieces)
    if 300 <= response.status < 400:  # a client that followed it would show its key to another server
        raise from_status(place, response.status, response.headers, "")
    if response.status == 200:
        try:
            str(data, "utf-8")
            books.take_reply(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BrokenReply(f"{place} gave a reply that is no completion: {size} bytes") from None
    head = _head(response, [b"content-length"])
    head["headers"].append((b"content-length", str(size).encode()))
    await send(head)
    await send({"type": "http.response.body", "body": data})


async def _stream(response: ClientResponse, send: Send, books: Books) -> None:
    """A stream, event by event: half of one would be nothing that a client can read, should the rest not come."""
    await send(_head(response))
    rest = b""
    async for piece in response.content.iter_any():
        books.take_piece(piece)
        data = rest + piece
        end = max(data.rfind(mark) + len(mark) if mark in data else 0 for mark in _ENDS_OF_EVENT)
        rest = data[end:]
        if end:
            await send({"type": "http.response.body", "body": data[:end], "more_body": True})
        if len(rest) > LARGEST_EVENT:
            raise BrokenReply(f"the upstream sent an event of more than {LARGEST_EVENT // 2**20} MB")
    if not books.ended:
        raise BrokenReply("the upstream closed the stream before its end")
    await send({"type": "http.response.body", "body": rest})


def _broken_off(failure: BackendError) -> bytes:
    """The end of a stream that broke off."""
    return event(failure_of(failure).body) + DONE
