"""Requests that go to the upstream as they came, and its answers back: bytes, over connections that are kept."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ponder.backends.openai.address import Address
from ponder.backends.openai.failures import Place, from_exception
from ponder.backends.openai.transport import CONNECT_SECONDS, connector, proxy_for
from ponder.core.errors import BackendError, CallTimeout
from ponder.gateway.admission import Permit
from ponder.gateway.booking import Books
from ponder.gateway.call_spans import passing, relabelled
from ponder.gateway.config import Upstream
from ponder.gateway.failures import failure_of
from ponder.gateway.http import Scope, Send
from ponder.gateway.models import Served
from ponder.gateway.relay import HOP_BY_HOP, Passing, Relay
from ponder.gateway.stream import DONE, event

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientTimeout

__all__ = ["Passthrough"]

Headers = list[tuple[str, str]]

_OURS = frozenset(b"host content-length authorization x-api-key cookie accept-encoding expect".split())
"""Of the client's headers: what was meant for the gateway, and what the client library sets itself."""

_DROPPED = HOP_BY_HOP | _OURS


@dataclass(frozen=True, slots=True)
class _Line:
    """How an upstream is reached: what need not be found out for each request."""

    address: Address
    proxy: str | None
    timeout: ClientTimeout

    @classmethod
    def to(cls, upstream: Upstream) -> _Line:
        """That to one upstream."""
        import aiohttp

        address = Address.of(upstream.url)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=upstream.timeout)
        return cls(address, proxy_for(address.root), timeout)


class Passthrough:
    """Forwards requests over one session for all upstreams."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None
        self._lines: dict[str, _Line] = {}

    def open(self) -> None:
        """Open the session, in the running event loop."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=connector(limit=0),
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
        books, upstream = Books(request.body), to.upstream
        line = self._lines.get(upstream.name) or self._lines.setdefault(upstream.name, _Line.to(upstream))
        key = os.environ.get(upstream.key_env or "", "").strip()
        place = Place(line.address.url, to.model, "it asks for another key", [key] if key else [])
        answer = Relay(send, books, place, request)
        headers = _headers(scope, line.address.authorization or (f"Bearer {key}" if key else None))
        try:
            with passing(to.model, upstream.name, lambda: books.bill(request.price)):
                await self._in_time(line, request, headers, answer)
        except asyncio.CancelledError:
            books.cut()
            raise
        except BackendError as error:
            if isinstance(error, CallTimeout):
                books.cut()
            if not answer.begun:
                raise
            await send({"type": "http.response.body", "body": event(failure_of(error).body) + DONE})
        finally:
            permit.settle(books.bill(request.price))

    async def _in_time(self, line: _Line, request: Passing, headers: Headers, answer: Relay) -> None:
        try:
            # Outside of the breaker: the client's impatience, or its slow reading, is no fault of the upstream.
            async with asyncio.timeout_at(request.deadline):
                with request.breaker.call():
                    await self._exchange(line, request, headers, answer)
        except TimeoutError:
            raise CallTimeout(f"{answer.place} had no answer by the deadline of the request") from None

    async def _exchange(self, line: _Line, request: Passing, headers: Headers, answer: Relay) -> None:
        import aiohttp

        assert self._session is not None, "open() comes first"
        try:
            async with self._session.post(
                line.address.url + request.path, data=request.body, headers=relabelled(headers),
                timeout=line.timeout, allow_redirects=False, proxy=line.proxy,
            ) as response:  # fmt: skip
                await answer.relay(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise from_exception(answer.place, error, line.timeout.sock_read or 0.0) from None


def _headers(scope: Scope, authorization: str | None) -> Headers:
    """The client's headers without those of its own connection, and the upstream's key in the place of its own."""
    named = [value for name, value in scope["headers"] if name == b"connection"]
    dropped = _DROPPED.union(name.strip().lower() for value in named for name in value.split(b","))
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in dropped
    ]
    # Unpacked replies could be any size, and their usage has to be read.
    headers.append(("Accept-Encoding", "identity"))
    if authorization:
        headers.append(("Authorization", authorization))
    return headers
