"""A proxy of nothing but uvicorn and aiohttp: what the usual way to pass a request on costs by itself.

python serving/bare_proxy.py UPSTREAM PORT
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import uvicorn

__all__: list[str] = []

Message = MutableMapping[str, Any]


class Proxy:
    """Passes every request on to `url`, and its answer back, and looks at neither."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url + scope["path"], data=body, headers=headers) as response:
            data = await response.read()
        lines = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": lines})
        await send({"type": "http.response.body", "body": data})


if __name__ == "__main__":
    uvicorn.run(Proxy(sys.argv[1]), port=int(sys.argv[2]), lifespan="off", log_config=None, access_log=False)
