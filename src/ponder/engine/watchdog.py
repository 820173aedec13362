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


class _Halt(BaseException):
    """Raised in the stuck call; no ``except Exception`` of a strategy catches it."""


class Watchdog:
    """Raises `StrategyStuck` from a call made through `guard` that takes longer than `patience` seconds.

    A coroutine that never yields blocks the event loop and everything on it, so only another thread can stop it; an
    asynchronous exception reaches any Python code, though not one long call into C.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: float | None = None
        self._lock = threading.Lock()
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
            try:
                return function(*arguments)
            finally:
                with self._lock:  # once this is through, no exception is on its way any more
                    self._since = None
        except _Halt:
            raise StrategyStuck(
                f"the strategy computed for more than {self._patience:g} s without a Session operation"
            ) from None

    def _watch(self) -> None:
        while not self._stop.wait(self._patience / 4):
            with self._lock:
                if self._since is not None and time.monotonic() - self._since > self._patience:
                    self._since = time.monotonic()  # and again, should this one be swallowed
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._victim), ctypes.py_object(_Halt))
