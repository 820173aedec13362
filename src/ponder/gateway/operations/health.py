"""Whether the gateway can do its work: the engine, the store and every upstream are tried, not just the process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from ponder.core.backend import Backend, Progress, Request
from ponder.core.errors import BackendError, CallTimeout, PonderError
from ponder.gateway.admission.fair_queue import FairQueue
from ponder.gateway.settings import Config, Upstream
from ponder.gateway.upstreams.routes import Routes
from ponder.store.base import RunStore

__all__ = ["Health", "try_engine"]

FRESH = 5.0
"""Seconds for which a result is given again: whoever asks often does not load the upstreams."""

PATIENCE = 5.0

Checks = dict[str, Callable[[], Awaitable[None]]]


class Health:
    """The state of one gateway. `embedded` holds the models in this process, by upstream.

    What it says has no secrets, addresses or messages of errors in it: anybody may ask.
    """

    def __init__(
        self, config: Config, store: RunStore, queue: FairQueue, routes: Routes, embedded: Mapping[str, Backend]
    ) -> None:
        self._config = config
        self._store = store
        self._queue = queue
        self._routes = routes
        self._embedded = embedded
        self._lock = asyncio.Lock()
        self._at = -FRESH
        self._latest: tuple[int, dict[str, Any]] = (503, {})
        self._looks: dict[str, asyncio.Task[Any]] = {}
        for name, breaker in routes.breakers.items():
            breaker.suspect = partial(self._look_soon, name)

    async def health(self) -> tuple[int, dict[str, Any]]:
        """A status and a body: 200 while requests can be answered, ``"degraded"`` if not on every upstream."""
        async with self._lock:  # who asks at the same time waits for the same result
            if time.monotonic() - self._at >= FRESH:
                self._latest = await self._look()
                self._at = time.monotonic()
            return self._latest

    def ready(self) -> tuple[int, dict[str, Any]]:
        """A status and a body: 200 while it makes sense to send requests here."""
        reasons = []
        if self._queue.closed:
            reasons.append("shutting down")
        if self._queue.waiting and self._queue.waiting >= self._config.queue:
            reasons.append("the queue is full")
        if all(breaker.state == "open" for breaker in self._routes.breakers.values()):
            reasons.append("every upstream is down")
        return (503 if reasons else 200), {"ready": not reasons, "reasons": reasons}

    async def _look(self) -> tuple[int, dict[str, Any]]:
        checks: Checks = {"engine": try_engine, "store": self._try_store}
        names = list(self._config.upstreams)
        results = await asyncio.gather(
            *(_outcome(check) for check in checks.values()), *(self._upstream(name) for name in names)
        )
        own, upstreams = dict(zip(checks, results, strict=False)), dict(zip(names, results[len(checks) :], strict=True))
        works = all(one["status"] == "ok" for one in own.values())
        up = [one["status"] == "ok" for one in upstreams.values()]
        status = "ok" if works and all(up) else "degraded" if works and any(up) else "down"
        return (503 if status == "down" else 200), {"status": status, **own, "upstreams": upstreams}

    async def _upstream(self, name: str) -> dict[str, Any]:
        upstream = self._config.upstreams[name]
        embedded = self._embedded.get(name)
        check = (lambda: _try_remote(upstream)) if embedded is None else (lambda: _try_embedded(embedded))
        breaker = self._routes.breakers[name]
        return {**await _outcome(check, breaker.probed), "breaker": breaker.state}

    def _look_soon(self, name: str) -> None:
        """Nothing has answered the calls of one key: is it the same for all?"""
        if name not in self._looks:
            self._looks[name] = look = asyncio.create_task(self._upstream(name))
            look.add_done_callback(lambda _: self._looks.pop(name))

    async def _try_store(self) -> None:
        self._store.check()


async def _outcome(
    check: Callable[[], Awaitable[None]], failed: Callable[[BackendError], None] = lambda error: None
) -> dict[str, Any]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except TimeoutError:
        failed(CallTimeout(f"no answer for {PATIENCE:g} seconds"))
        return {"status": "slow"}
    except PonderError as error:
        if isinstance(error, BackendError):
            failed(error)
        return {"status": "failed", "error": type(error).__name__}
    return {"status": "ok", "ms": round((time.monotonic() - began) * 1e3, 1)}


async def try_engine() -> None:
    """A run from end to end, on a model that costs nothing."""
    from ponder.api import asolve
    from ponder.backends.scripted import Scripted

    await asolve("?", strategy="single", model=Scripted(["Answer: 1"]), seed=0)


async def _try_remote(upstream: Upstream) -> None:
    from ponder.backends.openai import OpenAI

    backend = OpenAI(upstream.url, "-", api_key_env=upstream.key_env or "", timeout=PATIENCE)
    try:
        await backend.models()
    finally:
        await backend.aclose()


async def _try_embedded(backend: Backend) -> None:
    await backend.generate(Request(messages=({"role": "user", "content": "Hi"},), max_tokens=1), Progress())
