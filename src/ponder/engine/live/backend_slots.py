"""How many calls a backend takes at a time, over all runs that share it."""

from __future__ import annotations

import asyncio
import weakref

import anyio

from ponder.core.backend import Backend

__all__ = ["slots"]

# A semaphore belongs to one event loop.
_semaphores: weakref.WeakKeyDictionary[Backend, tuple[asyncio.AbstractEventLoop, anyio.Semaphore]]
_semaphores = weakref.WeakKeyDictionary()


def slots(backend: Backend) -> anyio.Semaphore:
    """The semaphore of `backend` in the running event loop."""
    loop = asyncio.get_running_loop()
    known = _semaphores.get(backend)
    if known is None or known[0] is not loop:
        known = (loop, anyio.Semaphore(backend.concurrency, fast_acquire=True))
        _semaphores[backend] = known
    return known[1]
