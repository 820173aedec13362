"""Stops a strategy that computes without end."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from ponder.core.errors import StrategyStuck

__all__ = ["Watchdog"]

T = TypeVar("T")


class Watchdog:
    """Raises `StrategyStuck` inside a call made through `guard` that takes longer than `patience` seconds.

    A coroutine that never yields blocks the event loop and everything on it, so only another thread can stop it; an
    asynchronous exception reaches any Python code, though not one long call into C.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: float | None = None
        self._victim = threading.get_ident()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ponder-watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()

    def guard(self, function: Callable[..., T], *arguments: object) -> T:
        """Call `function`, watched."""
        self._since = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._since = None

    def _watch(self) -> None:
        while not self._stop.wait(self._patience / 4):
            since = self._since
            if since is not None and time.monotonic() - since > self._patience:
                self._since = None
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._victim), ctypes.py_object(StrategyStuck)
                )
