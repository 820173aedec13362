"""Connections to one server: opened when they are needed, and used again."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from functools import cache, lru_cache
from types import TracebackType
from urllib.parse import SplitResult, quote, unquote, urlsplit

import aiohappyeyeballs

from ponder.backends.http1.connection import Connection, Headers, Response
from ponder.backends.http1.failures import Silent, Unconnected
from ponder.core.errors import InvalidOption

__all__ = ["Call", "Pool"]

REST_SECONDS = 4.0
"""A connection that was idle for so long is not used again. Uvicorn (under vLLM and SGLang), llama.cpp's server and
Node close theirs after five seconds, and a request that meets the close is lost."""

EYEBALLS_SECONDS = 0.25
"""How long one of a server's addresses is tried alone (RFC 8305)."""

_IN_PATHS = "/%:@!$&'()*+,;=~"
_PORTS = {"http": 80, "https": 443}


class Pool:
    """Connections to the server at `root`, a URL of scheme, host and port, through `proxy` if one is named.

    It belongs to the running event loop. Every request carries `headers`. At most `limit` connections are in use at a
    time, None for any number; `in_use` says how many are. Opening one may take `connect_seconds`; with `keep_alive`
    false none is used twice.

    Raises:
        InvalidOption: the proxy is none that can be spoken to.
    """

    def __init__(
        self, root: str, *, connect_seconds: float, headers: Headers = (), proxy: str | None = None,
        limit: int | None = None, keep_alive: bool = True,
    ) -> None:  # fmt: skip
        server = urlsplit(root)
        self._to = _address(server)
        self._tls = _context() if server.scheme == "https" else None
        self._host = server.netloc if server.netloc.isascii() else _netloc(*self._to)
        self._proxy = _proxy(proxy) if proxy else None
        self._target = f"{server.scheme}://{self._host}" if self._proxy and not self._tls else ""
        self._proxy_lines = _credentials(self._proxy) if self._proxy else b""
        self._lines = _lines(headers) + (b"" if keep_alive else b"connection: close\r\n")
        if not self._tls:
            self._lines += self._proxy_lines
        self._connect_seconds = connect_seconds
        self._keep_alive = keep_alive
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(limit) if limit else None
        self.in_use = 0
        self._resting: list[tuple[Connection, float]] = []
        self._sweep: asyncio.TimerHandle | None = None

    def call(self, method: str, path: str, headers: Headers, body: bytes | None, seconds: float) -> Call:
        """A request, which is sent when the block is entered; the server may be silent for `seconds`.

        Raises:
            ValueError: a header holds a line break, and so would be several.
        """
        begin = _begin(method, self._target, path, self._host)
        size = b"" if body is None else b"content-length: %d\r\n" % len(body)
        request = b"".join((begin, size, self._lines, _lines(headers), b"\r\n", body or b""))
        return Call(self, request, seconds)

    async def take(self) -> Connection:
        """A connection for one request; `give_back` has to follow.

        Raises:
            CallFailed: none can be opened.
        """
        if self._slots is not None:
            await self._slots.acquire()
        self.in_use += 1
        while self._resting:
            connection, since = self._resting.pop()
            if connection.is_free and self._loop.time() - since < REST_SECONDS:
                return connection
            connection.abort()
        try:
            return await self._connect()
        except BaseException:
            self._release()
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep it for another request, if it can carry one."""
        self._release()
        if not (connection.is_free and self._keep_alive):
            connection.abort()
            return
        self._resting.append((connection, self._loop.time()))
        if self._sweep is None:
            self._sweep = self._loop.call_later(REST_SECONDS, self._close_rested)

    def close(self) -> None:
        """Close those that rest; those in use are closed when they are given back."""
        self._keep_alive = False
        if self._sweep is not None:
            self._sweep.cancel()
        for connection, _ in self._resting:
            connection.abort()
        self._resting.clear()

    def _release(self) -> None:
        self.in_use -= 1
        if self._slots is not None:
            self._slots.release()

    def _close_rested(self) -> None:
        """Close those that have rested for too long; the others are looked at again."""
        old = self._loop.time() - REST_SECONDS
        for connection, since in self._resting:
            if since <= old:
                connection.abort()
        self._resting = [(connection, since) for connection, since in self._resting if since > old]
        self._sweep = self._loop.call_later(REST_SECONDS, self._close_rested) if self._resting else None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_seconds) as limit:
                return await self._open()
        except (OSError, UnicodeError) as error:
            if limit.expired():
                raise Silent(self._connect_seconds) from None
            raise Unconnected.by(error) from error

    async def _open(self) -> Connection:
        host, port = _address(self._proxy) if self._proxy else self._to
        addresses = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        opened = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=EYEBALLS_SECONDS)
        tls = None if self._proxy else self._tls
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._loop), sock=opened, ssl=tls, server_hostname=host if tls else None
        )
        if self._proxy and self._tls:
            await self._tunnel(connection, self._tls)
        return connection

    async def _tunnel(self, connection: Connection, tls: ssl.SSLContext) -> None:
        """Through the proxy to the server (RFC 9110, section 9.3.6)."""
        host, port = self._to
        to = _netloc(host, port)
        head = f"CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n".encode() + self._proxy_lines + b"\r\n"
        try:
            response = await connection.ask(head, self._connect_seconds)
            if response.status != 200:
                raise Unconnected(f"the proxy answered {response.status}")
            await connection.encrypt(tls, host)
        except BaseException:
            connection.abort()
            raise


class Call:
    """One request: an asynchronous context manager that gives the response, which has to be read inside.

    Raises:
        CallFailed: there is no response.
    """

    def __init__(self, pool: Pool, request: bytes, seconds: float) -> None:
        self._pool = pool
        self._request = request
        self._seconds = seconds
        self._connection: Connection | None = None

    async def __aenter__(self) -> Response:
        connection = await self._pool.take()
        try:
            response = await connection.ask(self._request, self._seconds)
        except BaseException:
            self._pool.give_back(connection)
            raise
        self._connection = connection
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connection is not None, "it was entered"
        self._pool.give_back(self._connection)


@lru_cache(maxsize=256)
def _begin(method: str, target: str, path: str, host: str) -> bytes:
    """A request's first line, and the header that says for whom it is."""
    return f"{method} {target}{quote(path, safe=_IN_PATHS)} HTTP/1.1\r\nhost: {host}\r\n".encode()


def _lines(headers: Headers) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers):
        raise ValueError("a header holds a line break")
    return lines


def _address(url: SplitResult) -> tuple[str, int]:
    return _ascii(url.hostname or ""), url.port or _PORTS[url.scheme]


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _proxy(url: str) -> SplitResult:
    """A proxy, as the environment names it.

    Raises:
        InvalidOption: it is none that can be spoken to.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        raise InvalidOption(f"the proxy {shown} is none of the kind http://HOST:PORT; set http_proxy and https_proxy")
    return parts


def _credentials(url: SplitResult) -> bytes:
    """The line that lets a request through a proxy."""
    if url.username is None:
        return b""
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return b"proxy-authorization: Basic %b\r\n" % base64.b64encode(pair.encode())


@cache
def _context() -> ssl.SSLContext:
    """What certificates have to satisfy; reading the system's own takes some milliseconds."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
