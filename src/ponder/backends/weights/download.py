"""One file over HTTP into one file on disk, going on where an earlier try ended."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Remote", "SourceFailed", "download", "open_session", "reason", "size_of"]

CHUNK = 2**18
TRIES = 3  # in a row that bring no new byte
FIRST_PAUSE = 0.5  # seconds; doubles with each try
RETRIED = (408, 425, 429, 500, 502, 503, 504)


class SourceFailed(Exception):
    """This source cannot give the file; the next one may. The text says why."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server; `size` in bytes and `sha256` in hex where the server's listing gives them."""

    url: str
    size: int | None
    sha256: str | None


class _Again(Exception):
    """The connection failed in a way that may pass."""


def open_session() -> aiohttp.ClientSession:
    """A client with proxies from the environment, and the certificates that pip would use.

    Raises:
        SourceFailed: the certificate file named by the environment cannot be read.
    """
    import aiohttp

    file = os.environ.get("PIP_CERT") or os.environ.get("REQUESTS_CA_BUNDLE")
    try:
        # Without a file this reads the system's store, or $SSL_CERT_FILE.
        context = ssl.create_default_context(cafile=file)
    except OSError as error:
        raise SourceFailed(f"cannot read the certificate file {file}: {error.strerror or error}") from error
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_read=30),
        headers={"User-Agent": "ponder"},
        trust_env=True,
    )


async def download(
    http: aiohttp.ClientSession, remote: Remote, to: Path, *, limit: int, came: Callable[[int], None]
) -> None:
    """Complete `to` from `remote`; bytes already in `to` are kept and not asked for again.

    `limit` bounds the size in bytes where the listing gives none. `came` is called with the number of new bytes.

    Raises:
        SourceFailed: the server refuses, keeps failing, or sends more than it should.
        OSError: `to` cannot be written.
    """
    most, tries = size_of(to), 0
    while size_of(to) != remote.size:
        try:
            await _append(http, remote, to, limit if remote.size is None else remote.size, came)
            if remote.size is None:
                return
            why = f"{_name(remote)} ends after {size_of(to)} of {remote.size} bytes"
        except _Again as error:
            why = str(error)
        if size_of(to) > most:
            most, tries = size_of(to), 0
        elif size_of(to) != remote.size:
            tries += 1
            if tries == TRIES:
                raise SourceFailed(why)
            await anyio.sleep(FIRST_PAUSE * 2 ** (tries - 1))


async def _append(
    http: aiohttp.ClientSession, remote: Remote, to: Path, limit: int, came: Callable[[int], None]
) -> None:
    import aiohttp

    have = size_of(to)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        async with http.get(remote.url, headers=headers) as reply:
            _check(reply, remote, to, have, came)
            if have and not _goes_on_at(reply, have):
                # The server sends the whole file, whatever was asked for.
                came(-have)
                have = 0
            with to.open("ab" if have else "wb") as file:
                async for chunk in reply.content.iter_chunked(CHUNK):
                    have += len(chunk)
                    if have > limit:
                        to.unlink()
                        raise SourceFailed(f"{_name(remote)} is larger than the {limit} bytes it should have")
                    file.write(chunk)
                    came(len(chunk))
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise _Again(f"{_name(remote)}: {reason(error)}") from error


def _check(reply: aiohttp.ClientResponse, remote: Remote, to: Path, have: int, came: Callable[[int], None]) -> None:
    if reply.status == 416:
        # What is here is longer than what the server has: it cannot be the start of that file.
        to.unlink(missing_ok=True)
        came(-have)
        raise _Again(f"{_name(remote)} changed on the server")
    if reply.status in RETRIED:
        raise _Again(f"{_name(remote)}: HTTP {reply.status} {reply.reason}")
    if reply.status not in (200, 206):
        raise SourceFailed(f"{_name(remote)}: HTTP {reply.status} {reply.reason}")


def _goes_on_at(reply: aiohttp.ClientResponse, have: int) -> bool:
    start = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    return reply.status == 206 and start is not None and int(start[1]) == have


def _name(remote: Remote) -> str:
    return remote.url.split("?")[0].split("#")[0].rsplit("/", 1)[-1]


def size_of(path: Path) -> int:
    """Bytes in a file; 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def reason(error: BaseException) -> str:
    """Why a connection failed, in words for a person."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {error.host} is not trusted ({error.certificate_error})"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"
    if isinstance(error, aiohttp.InvalidURL):
        return "the address is not valid"  # and is not shown: it may hold a password
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status} {error.message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the server closed the connection in mid-file"
    return " ".join(str(error).split()) or type(error).__name__
