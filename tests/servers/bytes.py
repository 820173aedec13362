"""A server that says byte for byte what a test wants."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Says", "Talk", "answering", "speaking"]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Talk:
    """What a server was told: the heads of the requests, the connections opened, and those that the client closed."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    most: int = 0


Says = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Answers the request with this head."""


def answering(*pieces: bytes, close: bool = False) -> Says:
    """Answer every request with these bytes, a moment between two pieces."""

    async def say(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        if close:
            writer.close()

    return say


@asynccontextmanager
async def speaking(say: Says | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Talk]:
    """Such a server, until the block ends; it says ``ok`` unless told otherwise."""
    talk = Talk()
    talkers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talkers.add(task)
        talk.opened += 1
        talk.most = max(talk.most, talk.opened - talk.closed)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                talk.heads.append(head)
                await reader.readexactly(_length(head))
                await (say or answering(OK))(head, reader, writer)
        talk.closed += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    talk.url = f"http{'s' if tls else ''}://{'localhost' if tls else '127.0.0.1'}:{port}"
    try:
        yield talk
    finally:
        server.close()
        for task in talkers:
            task.cancel()
        await asyncio.gather(*talkers, return_exceptions=True)


def _length(head: bytes) -> int:
    lines = dict(line.partition(b": ")[::2] for line in head.lower().split(b"\r\n"))
    return int(lines.get(b"content-length", 0))
