"""Around the application: every request leaves a record, however it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ponder.gateway.http.asgi import Receive, Scope, Send
from ponder.gateway.request_record import Record, recording

__all__ = ["ENDPOINTS", "Observed"]

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/runs")
"""What is recorded under its own name; a client may ask for any path."""


class Observed:
    """An ASGI application around another one; `report` is told of each request soon after it has ended."""

    def __init__(self, app: Callable[..., Awaitable[None]], report: Callable[[Record], None]) -> None:
        self._app = app
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        made = Record(method=_method(scope["method"]), endpoint=_endpoint(scope["path"]))
        began = time.monotonic()
        token = recording.set(made)

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                made.status = message["status"]
                for name, value in message.get("headers", ()):
                    if name == b"x-ponder-run":
                        made.run = value.decode("latin-1")
                    elif name == b"x-ponder-fallback":
                        made.fallback = value.decode("latin-1")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            recording.reset(token)
            made.seconds = time.monotonic() - began
            # The event loop sends an answer at the end of its turn: the client need not wait for this, too.
            asyncio.get_running_loop().call_soon(self._report, made)


def _endpoint(path: str) -> str:
    return next((known for known in ENDPOINTS if path == known or path.startswith(known + "/")), "other")


def _method(method: str) -> str:
    return method if method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH") else "other"
