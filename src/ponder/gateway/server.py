"""The gateway as a process: from a configuration to a server that listens."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from functools import partial
from typing import cast

import uvicorn

from ponder.core.backend import Backend
from ponder.core.errors import InvalidOption
from ponder.gateway.app import Gateway, application
from ponder.gateway.http.descriptors import most_connections
from ponder.gateway.http.protocol import Bounded
from ponder.gateway.operations.logs import set_up
from ponder.gateway.settings import Config
from ponder.gateway.telemetry import traces
from ponder.store.opening import open_store

__all__ = ["listen", "serve"]

BACKLOG = 2048
GRACE = 30
"""Seconds that requests under way have to end when the server is asked to."""

GARBAGE = 10_000
"""New objects after which the collector looks for cycles among them."""

KEEP_ALIVE = 75
"""Seconds that a connection may rest. Clients let go of theirs sooner, and so never use one that is about to close."""

Open = Callable[[str], Backend]
"""Opens an embedded model, by its spec."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; with port 0 on a free one.

    Raises:
        InvalidOption: the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).split(" (while")[0]
        raise InvalidOption(f"cannot listen on {host} port {port}: {reason}; choose another with --port") from None


def serve(config: Config, open_model: Open, ready: Callable[[str, bool], None]) -> None:
    """Serve until the process is told to stop.

    `ready` is called when requests are accepted, with the base URL and whether they need a key.

    Raises:
        InvalidOption: the address cannot be had.
        WeightsError: an embedded model cannot be had.
        StoreError: the store cannot be opened.
        UsageError: traces are asked for, and cannot be had.
    """
    set_up(config)
    traces.set_up()
    with listen(config.host, config.port) as listener:  # before a model is loaded, which takes its time
        embedded = {name: open_model(upstream.url) for name, upstream in config.upstreams.items() if upstream.embedded}
        store = open_store(config.store)
        try:
            gateway = Gateway(config, store, embedded)
            settings = uvicorn.Config(
                application(gateway), lifespan="on", log_config=None, access_log=False, server_header=False,
                proxy_headers=False, ws="none", timeout_graceful_shutdown=GRACE, backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE,
                http=cast(type[asyncio.Protocol], partial(Bounded, most=most_connections(), origins=config.origins)),
            )  # fmt: skip
            _Server(settings, gateway, lambda keyed: ready(_url(listener), keyed)).run(sockets=[listener])
        finally:
            traces.close()
            store.close()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


class _Server(uvicorn.Server):
    """Says when it accepts requests; lets nobody in any more as soon as it is to stop."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, ready: Callable[[bool], None]) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What is there now stays: the collector need not walk it, nor look so often. It takes a sixth of the time
            # that a small request takes.
            gc.freeze()
            gc.set_threshold(GARBAGE)
            self._ready(await self._gateway.admission.asks_for_a_key())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.admission.close()
        await super().shutdown(sockets)
