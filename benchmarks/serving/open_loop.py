"""Load at a fixed rate, whether or not the server keeps up.

Requests are sent when they are due, and each one's time counts from then, so that a server that stalls is charged with
all the requests that should have been sent in the meantime: a client that waits for a reply before it asks again would
leave them out (Tene's "coordinated omission").
"""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

__all__ = ["Measured", "measure", "request_bytes"]


@dataclass(slots=True)
class Measured:
    """Seconds from when a request was due to the last byte of its reply, sorted; and how many had no good reply."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def quantile(self, q: float) -> float:
        """The time that the fraction `q` of the requests took at most; a failed one took forever."""
        rank = int(q * (len(self.seconds) + self.failed))
        return self.seconds[rank] if rank < len(self.seconds) else float("inf")


def request_bytes(url: str, body: bytes) -> bytes:
    """A POST of JSON, with the headers that an SDK sends."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r\nAuthorization: Bearer none\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(url: str, body: bytes, rate: float, count: int, seed: int, patience: float) -> Measured:
    """Send `count` requests at `rate` a second, with exponential gaps that `seed` decides.

    Those that have no reply `patience` seconds after the last was due count as failed.
    """
    gc.collect()
    gc.disable()  # a collection here would look like a slow server
    try:
        return uvloop.run(_measure(url, body, rate, count, seed, patience))
    finally:
        gc.enable()


async def _measure(url: str, body: bytes, rate: float, count: int, seed: int, patience: float) -> Measured:
    rng, loop = random.Random(seed), asyncio.get_running_loop()
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    load = _Load(parts.hostname, parts.port, request_bytes(url, body), count)
    due = loop.time() + 0.1
    for _ in range(count):
        due += rng.expovariate(rate)
        loop.call_at(due, load.fire, due)
    try:
        async with asyncio.timeout_at(due + patience):
            await load.over
    except TimeoutError:
        load.measured.failed = count - len(load.measured.seconds)
    load.close()
    load.measured.seconds.sort()
    return load.measured


class _Load:
    """The connections of one measurement, and what came of it."""

    def __init__(self, host: str, port: int, request: bytes, count: int) -> None:
        self.request = request
        self.measured = Measured()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._address = host, port
        self._count = count
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def fire(self, due: float) -> None:
        """Send the request that is due."""
        if self._idle:
            self._idle.pop().send(due)
        else:
            task = asyncio.get_running_loop().create_task(self._connect(due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, due: float) -> None:
        connect = asyncio.get_running_loop().create_connection(partial(_Connection, self), *self._address)
        try:
            _, connection = await connect
        except OSError:
            self.ended(due, None)
            return
        self._all.add(connection)
        connection.send(due)

    def ended(self, due: float, at: float | None) -> None:
        """The reply is there, or, without a time, will never be."""
        if at is None:
            self.measured.failed += 1
        else:
            self.measured.seconds.append(at - due)
        if len(self.measured.seconds) + self.measured.failed == self._count and not self.over.done():
            self.over.set_result(None)

    def free(self, connection: _Connection) -> None:
        """It can be used again."""
        self._idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        """It cannot."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """End all connections."""
        for connection in list(self._all):
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    """A connection with at most one request under way."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._due: float | None = None
        self._used = False
        self._answered = False
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, due: float) -> None:
        """Ask what was due then."""
        self._due = due
        self._answered = False
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._answered = True
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        due, self._due = self._due, None
        assert due is not None
        good, again = self._parser.get_status_code() == 200, self._parser.should_keep_alive()
        self._load.ended(due, self._loop.time() if good else None)
        if again:
            self._used = True
            self._parser = httptools.HttpResponseParser(self)
            self._load.free(self)
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost(self)
        if self._due is None:
            return
        if self._used and not self._answered:  # closed as idle in the moment of its use (RFC 9112, section 9.3.1)
            self._load.fire(self._due)
        else:
            self._load.ended(self._due, None)
