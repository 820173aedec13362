"""Bytes over HTTP: one session for all calls, bounded replies, every failure as a `BackendError`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ponder.backends.openai.address import Address
from ponder.backends.openai.detect import model_names
from ponder.backends.openai.failures import Place, from_exception, from_status
from ponder.core.errors import BackendError, BrokenReply, InvalidOption

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, TCPConnector

__all__ = ["CONNECT_SECONDS", "LARGEST_REPLY", "Transport", "connector", "drain", "extra_headers", "proxy_for"]

T = TypeVar("T")

CONNECT_SECONDS = 10.0
"""A server that does not accept a connection in this time counts as hanging."""

REST_SECONDS = 4.0
"""A connection that was idle for so long is not used again. Uvicorn (under vLLM and SGLang), llama.cpp's server and
Node close theirs after five seconds, and a request that meets the close is lost."""

LARGEST_REPLY = 32 * 2**20
"""Bytes of a reply beyond which it is taken for broken, on top of what the asked-for tokens may need."""

LARGEST_ERROR = 64 * 2**10

DRAIN_SECONDS = 1.0

extra_headers: ContextVar[Mapping[str, str] | None] = ContextVar("extra_headers", default=None)
"""What the calls of this task carry besides: the trace that they belong to."""


class Transport:
    """Calls to one base URL. Keys are read from the environment when the session opens, and not kept here.

    `keep_alive` says whether connections may be used again; it counts from the next session on.
    """

    def __init__(self, address: Address, model: str, key_name: str, concurrency: int, seconds: float) -> None:
        self._address = address
        self._model = model
        self._key_name = key_name
        self._concurrency = concurrency
        self._seconds = seconds
        self.keep_alive = True
        self._session: ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def place(self) -> Place:
        """Where this goes, for error messages."""
        key = os.environ.get(self._key_name, "").strip()
        if self._address.authorization:
            secrets = [self._address.authorization.removeprefix("Basic ")]
            return Place(self._address.url, self._model, "user and password in its address are not accepted", secrets)
        if key:
            return Place(self._address.url, self._model, f"the key in {self._key_name} is not accepted", [key])
        needed = f"set {self._key_name}" if self._key_name else "it asks for a key, and none is configured"
        return Place(self._address.url, self._model, needed, [])

    async def post(self, path: str, body: bytes, read: Callable[[ClientResponse], Awaitable[T]]) -> T:
        """POST, and give what `read` makes of the answer, whose status is 200.

        Raises:
            BackendError: as `failures` has it, also for what the client raises inside `read`.
        """
        import aiohttp

        try:
            async with self._ready().post(
                self._address.url + path, data=body, headers=extra_headers.get(), allow_redirects=False
            ) as response:
                if response.status == 200:
                    self._refuse_packed(response)
                    return await read(response)
                text = await _error_text(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._translated(error) from None
        # Only now: while the failed call holds its connection, another may not get one.
        known = await self._known_models() if response.status == 404 else []
        raise from_status(self.place, response.status, response.headers, text, known)

    async def get(self, url: str) -> object:
        """The JSON at `url`, or None if the server has nothing there.

        Raises:
            BackendError: as `failures` has it.
        """
        import aiohttp

        try:
            async with self._ready().get(url, allow_redirects=False) as response:
                if response.status in (404, 405):
                    return None
                if response.status == 200:
                    self._refuse_packed(response)
                    return self.json(await self.read(response, LARGEST_REPLY))
                raise from_status(self.place, response.status, response.headers, await _error_text(response))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._translated(error) from None

    def _refuse_packed(self, response: ClientResponse) -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise BrokenReply(f"{self.place} sent a packed reply, which nobody has asked for")

    async def _known_models(self) -> list[str]:
        try:
            return model_names(await self.models())
        except BackendError:
            return []

    async def look(self, path: str) -> object:
        """The JSON at `path` below the server's root, or None if there is none."""
        try:
            return await self.get(self._address.root + path)
        except BackendError:
            return None

    async def models(self) -> object:
        """The server's list of models."""
        return await self.get(self._address.url + "/models")

    async def read(self, response: ClientResponse, limit: int) -> bytes:
        """The body, if it has at most `limit` bytes."""
        if (response.content_length or limit) < limit:
            return await response.read()
        return b"".join([piece async for piece in self.pieces(response, limit)])

    async def pieces(self, response: ClientResponse, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes, up to `limit` bytes.

        Raises:
            BrokenReply: it is longer.
        """
        seen = 0
        async for piece in response.content.iter_any():
            seen += len(piece)
            if seen > limit:
                raise BrokenReply(f"{self.place} sent more than {limit // 2**20} MB; the reply is dropped")
            yield piece

    def json(self, data: bytes) -> object:
        """JSON in UTF-8.

        Raises:
            BrokenReply: it is not.
        """
        try:
            return json.loads(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BrokenReply(f"{self.place} gave a reply that is not UTF-8: byte {error.start} is wrong") from None
        except (ValueError, RecursionError):
            raise BrokenReply(
                f"{self.place} gave a reply that is no JSON: {len(data)} bytes, cut off or damaged"
            ) from None

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _translated(self, error: Exception) -> BackendError:
        import aiohttp

        connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
        return from_exception(self.place, error, min(CONNECT_SECONDS, self._seconds) if connecting else self._seconds)

    def _ready(self) -> ClientSession:
        """The session; a new one if there is none yet, or if the last one belonged to another event loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session, self._loop = self._open(), loop
        return self._session

    def _open(self) -> ClientSession:
        import aiohttp

        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=min(CONNECT_SECONDS, self._seconds), sock_read=self._seconds
        )
        return aiohttp.ClientSession(
            connector=connector(self._concurrency, keep_alive=self.keep_alive),
            timeout=timeout,
            headers=self._headers(),
            proxy=proxy_for(self._address.root),
        )

    def _headers(self) -> dict[str, str]:
        # Unpacked replies could be any size, and unpacking costs more than the bytes save on a local line.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        key = os.environ.get(self._key_name, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise InvalidOption(f"{self._key_name} holds characters that no key has; set it again")
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization
        elif key:
            headers["Authorization"] = f"Bearer {key}"
        return headers


def connector(limit: int, *, keep_alive: bool = True) -> TCPConnector:
    """At most `limit` connections at a time, 0 for any number."""
    import aiohttp

    if not keep_alive:
        return aiohttp.TCPConnector(limit=limit, force_close=True)
    return aiohttp.TCPConnector(limit=limit, keepalive_timeout=REST_SECONDS)


async def drain(response: ClientResponse) -> None:
    """Wait a moment for the end of the body, because only a connection that is read to its end is used again."""
    import aiohttp

    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await response.content.readany()


async def _error_text(response: ClientResponse) -> str:
    """As much of the body as an error message may need."""
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > LARGEST_ERROR:
            break
    return data.decode("utf-8", "replace")


def proxy_for(root: str) -> str | None:
    """The proxy that the environment names for `root`; never one for this machine itself."""
    parts = urlsplit(root)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
