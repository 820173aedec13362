"""One call to the runtime: it blocks a thread, and its chunks come to the event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio

from ponder.backends.llamacpp.failures import raise_for
from ponder.core.errors import BackendError

__all__ = ["Flight", "Take"]

Take = Callable[[dict[str, Any]], None]


class Flight:
    """Completes a prompt; `take` gets each chunk in the event loop.

    `stop` makes the runtime stop at the next token; `landed` is set when it has.
    """

    def __init__(self, server: Any, body: bytes, take: Take) -> None:
        self.landed = asyncio.Event()
        self._server = server
        self._body = body
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[bytes] = deque()
        self._called = False
        self._stopped = False
        self._error: Exception | None = None

    async def run(self) -> None:
        """Returns at the end. When cancelled, what was produced until the runtime stopped still goes to `take`.

        Raises:
            BackendError: the runtime refused or failed, or `stop` was called.
        """
        threading.Thread(target=self._fly, name="ponder-llamacpp").start()
        try:
            await self.landed.wait()
        except BaseException:
            self.stop()
            with anyio.CancelScope(shield=True):
                await self.landed.wait()
            raise
        if self._error is not None:
            raise self._error
        if self._stopped:
            raise BackendError("the embedded model was closed during the call")

    def stop(self) -> None:
        """Stop at the next token, or the next batch of the prompt."""
        self._stopped = True

    def _fly(self) -> None:
        try:
            self._server.handle_completions(self._body, self._receive)
        finally:
            self._server = None
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self.landed.set)

    def _receive(self, chunk: bytes) -> bool:
        """Called by the runtime in its own time; True stops it.

        The chunks of one step come close together, so one call into the loop serves them all.
        """
        self._inbox.append(chunk)
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._deliver)
        # An interpreter that ends waits for its threads, and should not have to for minutes.
        return self._stopped or not threading.main_thread().is_alive()

    def _deliver(self) -> None:
        self._called = False
        while self._inbox:
            chunk = self._inbox.popleft()
            if self._error is None:
                try:
                    fields = json.loads(chunk)
                    raise_for(fields)
                    self._take(fields)
                except Exception as error:  # noqa: BLE001 - raised again by `run`
                    self._error = error
                    self.stop()
