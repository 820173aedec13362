"""Requests that go to the upstream as they came, and its answers back: bytes, over connections that are kept."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from ponder.backends.openai.address import Address
from ponder.backends.openai.failures import Place, from_exception
from ponder.backends.openai.transport import CONNECT_SECONDS, proxy_for
from ponder.core.errors import BackendError, CallTimeout
from ponder.gateway.admission import Permit
from ponder.gateway.booking import Books
from ponder.gateway.config import Upstream
from ponder.gateway.failures import failure_of
from ponder.gateway.http import Scope, Send
from ponder.gateway.models import Served
from ponder.gateway.relay import HOP_BY_HOP, Passing, Relay
from ponder.gateway.stream import DONE, event

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Passthrough"]

_OURS = frozenset(b"host content-length authorization x-api-key cookie accept-encoding expect".split())
"""Of the client's headers: what was meant for the gateway, and what the client library sets itself."""


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
        answer = Relay(send, books, _place(to.upstream, to.model), request)
        try:
            await self._in_time(to.upstream, request, scope, permit.budget.seconds, answer)
        except BackendError as error:
            if not answer.begun:
                raise
            await send({"type": "http.response.body", "body": event(failure_of(error).body) + DONE})
        finally:
            permit.settle(books.bill(request.price))

    async def _in_time(
        self, upstream: Upstream, request: Passing, scope: Scope, seconds: float | None, answer: Relay
    ) -> None:
        try:
            # Outside of the breaker: the client's impatience, or its slow reading, is no fault of the upstream.
            async with asyncio.timeout(seconds):
                with request.breaker.call():
                    await self._exchange(upstream, request, scope, answer)
        except TimeoutError:
            raise CallTimeout(f"{answer.place} had no answer within {seconds:g} seconds") from None

    async def _exchange(self, upstream: Upstream, request: Passing, scope: Scope, answer: Relay) -> None:
        import aiohttp

        assert self._session is not None, "open() comes first"
        address = Address.of(upstream.url)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=upstream.timeout)
        try:
            async with self._session.post(
                address.url + request.path, data=request.body, headers=_headers(scope, address, upstream),
                timeout=timeout, allow_redirects=False, proxy=proxy_for(address.root),
            ) as response:  # fmt: skip
                await answer.relay(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise from_exception(answer.place, error, upstream.timeout) from None


def _place(upstream: Upstream, model: str) -> Place:
    address, key = Address.of(upstream.url), _key(upstream)
    return Place(address.url, model, "it asks for another key", [key] if key else [])


def _key(upstream: Upstream) -> str:
    return os.environ.get(upstream.key_env or "", "").strip()


def _headers(scope: Scope, address: Address, upstream: Upstream) -> list[tuple[str, str]]:
    """The client's headers without those of its own connection, and the upstream's key in the place of its own."""
    named = [value for name, value in scope["headers"] if name == b"connection"]
    dropped = HOP_BY_HOP | _OURS | {name.strip().lower() for value in named for name in value.split(b",")}
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in dropped
    ]
    # Unpacked replies could be any size, and their usage has to be read.
    headers.append(("Accept-Encoding", "identity"))
    key = _key(upstream)
    if address.authorization or key:
        headers.append(("Authorization", address.authorization or f"Bearer {key}"))
    return headers
