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
        self.patience = patience
        self._since: float | None = None
        self._lock = threading.Lock()
        self._victim = threading.get_ident()

    def __enter__(self) -> Watchdog:
        _patrol.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        _patrol.remove(self)

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
                f"the strategy computed for more than {self.patience:g} s without a Session operation"
            ) from None

    def look(self) -> None:
        """Stop the call that is under way, if it has taken too long."""
        with self._lock:
            if self._since is not None and time.monotonic() - self._since > self.patience:
                self._since = time.monotonic()  # and again, should this one be swallowed
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._victim), ctypes.py_object(_Halt))


class _Patrol:
    """Looks after all watchdogs of the process, in one thread that is there while there are any."""

    def __init__(self) -> None:
        self._dogs: set[Watchdog] = set()
        self._lock = threading.Lock()
        self._sooner = threading.Event()
        self._pause = 0.0
        self._thread: threading.Thread | None = None

    def add(self, dog: Watchdog) -> None:
        """Look after `dog` from now on."""
        with self._lock:
            self._dogs.add(dog)
            if self._thread is None or not self._thread.is_alive():  # threads are not there any more after a fork
                self._thread = threading.Thread(target=self._walk, name="ponder-watchdog", daemon=True)
                self._thread.start()
            elif dog.patience / 4 < self._pause:
                self._sooner.set()

    def remove(self, dog: Watchdog) -> None:
        """Forget `dog`."""
        with self._lock:
            self._dogs.discard(dog)

    def _walk(self) -> None:
        while True:
            with self._lock:
                if not self._dogs:
                    self._thread = None
                    return
                dogs = list(self._dogs)
                self._pause = min(dog.patience for dog in dogs) / 4
            for dog in dogs:
                dog.look()
            self._sooner.wait(self._pause)
            self._sooner.clear()


_patrol = _Patrol()
