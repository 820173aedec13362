"""Bytes over HTTP: one pool of connections for all calls, bounded replies, every failure as a `BackendError`."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ponder.backends.http1.connection import Headers, Response
from ponder.backends.http1.failures import CallFailed
from ponder.backends.http1.pool import Call, Pool
from ponder.backends.openai.address import Address, key_in
from ponder.backends.openai.detect import model_names
from ponder.backends.openai.failures import Place, from_failure, from_response
from ponder.core.errors import BackendError, BrokenReply

__all__ = ["CONNECT_SECONDS", "LARGEST_ERROR", "LARGEST_REPLY", "Transport", "extra_headers", "proxy_for"]

T = TypeVar("T")

CONNECT_SECONDS = 10.0
"""A server that does not accept a connection in this time counts as hanging."""

LARGEST_REPLY = 32 * 2**20
"""Bytes of a reply beyond which it is taken for broken, on top of what the asked-for tokens may need."""

LARGEST_ERROR = 64 * 2**10
"""Bytes of an error that are read; its message quotes a line."""

extra_headers: ContextVar[Mapping[str, str] | None] = ContextVar("extra_headers", default=None)
"""What the calls of this task carry besides: the trace that they belong to."""


class Transport:
    """Calls to one base URL. Keys are read from the environment when the connections open.

    `keep_alive` says whether connections may be used again; it counts from the next connections on.
    """

    def __init__(self, address: Address, model: str, key_name: str, concurrency: int, seconds: float) -> None:
        self._address = address
        self._model = model
        self._key_name = key_name
        self._concurrency = concurrency
        self._seconds = seconds
        self.keep_alive = True
        self._path = urlsplit(address.url).path
        self._pool: Pool | None = None
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

    async def post(self, path: str, body: bytes, read: Callable[[Response], Awaitable[T]]) -> T:
        """POST, and give what `read` makes of the answer, whose status is 200.

        Raises:
            BackendError: as `failures` has it, also for what the connection raises inside `read`.
        """
        try:
            async with self._call("POST", self._path + path, body) as response:
                if response.status == 200:
                    self._refuse_packed(response)
                    return await read(response)
                text = await _error_text(response)
        except CallFailed as failure:
            raise from_failure(self.place, failure) from None
        # Only now: while the failed call holds its connection, another may not get one.
        known = await self._known_models() if response.status == 404 else []
        raise from_response(self.place, response, text, known)

    async def _get(self, path: str) -> object:
        """The JSON at `path` on the server, or None if it has nothing there."""
        try:
            async with self._call("GET", path) as response:
                if response.status in (404, 405):
                    return None
                if response.status == 200:
                    self._refuse_packed(response)
                    return self.json(await self.read(response, LARGEST_REPLY))
                raise from_response(self.place, response, await _error_text(response))
        except CallFailed as failure:
            raise from_failure(self.place, failure) from None

    def _refuse_packed(self, response: Response) -> None:
        if response.packed:
            raise BrokenReply(f"{self.place} sent a packed reply, which nobody has asked for")

    async def _known_models(self) -> list[str]:
        try:
            return model_names(await self.models())
        except BackendError:
            return []

    async def look(self, path: str) -> object:
        """The JSON at `path` below the server's root, or None if there is none."""
        try:
            return await self._get(path)
        except BackendError:
            return None

    async def models(self) -> object:
        """The server's list of models."""
        return await self._get(self._path + "/models")

    async def read(self, response: Response, limit: int) -> bytes:
        """The body, if it has at most `limit` bytes."""
        return b"".join([piece async for piece in self.pieces(response, limit)])

    async def pieces(self, response: Response, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes, up to `limit` bytes.

        Raises:
            BrokenReply: it is longer.
        """
        seen = 0
        async for piece in response:
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
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _call(self, method: str, path: str, body: bytes | None = None) -> Call:
        headers = [(name.encode(), value.encode()) for name, value in (extra_headers.get() or {}).items()]
        return self._ready().call(method, path, headers, body, self._seconds)

    def _ready(self) -> Pool:
        """The connections; new ones if there are none yet, or if the last ones belonged to another event loop."""
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:
            self._pool, self._loop = self._open(), loop
        return self._pool

    def _open(self) -> Pool:
        return Pool(
            self._address.root, headers=self._headers(), proxy=proxy_for(self._address.root), limit=self._concurrency,
            connect_seconds=min(CONNECT_SECONDS, self._seconds), keep_alive=self.keep_alive,
        )  # fmt: skip

    def _headers(self) -> Headers:
        # Unpacked replies could be any size, and unpacking costs more than the bytes save on a local line.
        headers = [
            (b"content-type", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"ponder"),
        ]
        key = key_in(self._key_name)
        if self._address.authorization:
            headers.append((b"authorization", self._address.authorization.encode()))
        elif key:
            headers.append((b"authorization", b"Bearer " + key.encode()))
        return headers


async def _error_text(response: Response) -> str:
    """As much of the body as an error message may need."""
    data = bytearray()
    async for piece in response:
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
