"""Requests that go to the upstream as they came, and its answers back: bytes, over connections that are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from urllib.parse import urlsplit

from ponder.backends.http1.connection import Headers
from ponder.backends.http1.failures import CallFailed
from ponder.backends.http1.pool import Pool
from ponder.backends.openai.address import Address, key_in
from ponder.backends.openai.failures import Place, from_failure
from ponder.backends.openai.pace import Pace
from ponder.backends.openai.transport import CONNECT_SECONDS, proxy_for
from ponder.core.errors import BackendError, CallTimeout
from ponder.gateway.admission.gate import Permit
from ponder.gateway.http.asgi import Scope, Send
from ponder.gateway.http.error_replies import failure_of
from ponder.gateway.http.headers import REQUEST, RESPONSE, passed_on
from ponder.gateway.http.sse import DONE, event
from ponder.gateway.passthrough.billing import Books
from ponder.gateway.passthrough.relay import Passing, Relay
from ponder.gateway.request_record import record
from ponder.gateway.settings import Upstream
from ponder.gateway.telemetry.call_spans import passing, relabelled
from ponder.gateway.upstreams.models import Served

__all__ = ["Passthrough"]

_OURS = (
    (b"content-type", b"application/json"),  # a client may say another; it was read as this
    (b"accept-encoding", b"identity"),  # unpacked replies could be any size, and their usage has to be read
    (b"user-agent", b"ponder"),
)


@dataclass(frozen=True, slots=True)
class _Line:
    """How an upstream is reached: what need not be found out for each request.

    `asked` and `told` are the names of the headers that go to it, and come from it.
    """

    url: str
    path: str
    secrets: Sequence[str]
    authorization: Headers
    asked: frozenset[bytes]
    told: frozenset[bytes]
    pool: Pool

    @classmethod
    def to(cls, upstream: Upstream) -> _Line:
        """That to one upstream."""
        address = Address.of(upstream.url)
        key = key_in(upstream.key_env or "")
        authorization = address.authorization or (f"Bearer {key}" if key else None)
        asked = REQUEST | {name.encode() for name in upstream.request_headers}
        pool = Pool(
            address.root, headers=_OURS, proxy=proxy_for(address.root),
            connect_seconds=min(CONNECT_SECONDS, upstream.timeout),
        )  # fmt: skip
        return cls(
            address.url, urlsplit(address.url).path, [key] if key else [],
            [(b"authorization", authorization.encode())] if authorization else [],
            asked - {b"authorization"} if authorization else asked,
            RESPONSE | {name.encode() for name in upstream.response_headers}, pool,
        )  # fmt: skip


class Passthrough:
    """Forwards requests over connections that are kept, of one event loop."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def close(self) -> None:
        """Close the connections."""
        for line in self._lines.values():
            line.pool.close()

    async def forward(self, to: Served, request: Passing, scope: Scope, send: Send, permit: Permit) -> None:
        """Send a request to an upstream, and its answer to the client.

        What was received is booked on the permit, also when the client goes away, which cancels the call.

        Raises:
            BackendError: the upstream cannot be reached, or its answer is broken; nothing was sent to the client.
        """
        books, upstream = Books(request.body, request.choices, request.limit), to.upstream
        line = self._lines.get(upstream.name) or self._lines.setdefault(upstream.name, _Line.to(upstream))
        place = Place(line.url, to.model, "it asks for another key", line.secrets)
        answer = Relay(send, books, Pace(place, upstream.timeout), place, request, line.told)
        headers = [*passed_on(scope["headers"], line.asked), *line.authorization]
        try:
            with passing(to.model, upstream.name, lambda: books.bill(request.price)):
                await self._in_time(line, request, upstream.timeout, headers, answer)
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

    async def _in_time(self, line: _Line, request: Passing, seconds: float, headers: Headers, answer: Relay) -> None:
        try:
            # Outside of the breaker: the client's impatience, or its slow reading, is no fault of the upstream.
            left = None if request.deadline is None else request.deadline - time.monotonic()
            async with nullcontext() if left is None else asyncio.timeout(left):
                with request.breaker.call(record().key):
                    await self._exchange(line, request, seconds, headers, answer)
        except TimeoutError:
            raise CallTimeout(f"{answer.place} had no answer by the deadline of the request") from None

    async def _exchange(self, line: _Line, request: Passing, seconds: float, headers: Headers, answer: Relay) -> None:
        try:
            path, traced = line.path + request.path, relabelled(headers)
            async with line.pool.call("POST", path, traced, request.body, seconds) as response:
                await answer.relay(response)
        except CallFailed as failure:
            raise from_failure(answer.place, failure) from None
