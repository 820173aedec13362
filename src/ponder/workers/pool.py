"""A few processes for work that may hang, crash or eat memory."""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from ponder.core.errors import VerifierError
from ponder.workers.worker import receive, send

__all__ = ["JobFailed", "Undecided", "Workers", "shared_workers", "wait"]

_START_SECONDS = 60.0  # the first import from a cold disk takes several
_PATIENCE = 5.0  # wall time allowed per second of CPU time, for machines that do other things as well
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TEMP", "TMP")


class Undecided(Exception):
    """The job came to the end of its time, stack or memory, or took its process down with it."""


class JobFailed(Exception):
    """The job raised; the text is one line."""


class Workers:
    """Runs jobs of `ponder.workers.worker` in at most `size` processes, started when first needed.

    A job that takes more than `seconds` of CPU time, or five times that on the clock, is killed with its process; the
    next one gets a fresh process. `memory` limits the address space of each in bytes. Usable from any thread and from
    one event loop after another. `jobs` counts the jobs taken so far.
    """

    def __init__(self, size: int = 2, seconds: float = 2.0, memory: int = 1 << 30) -> None:
        self.jobs = 0
        self._size, self._seconds, self._memory = size, seconds, memory
        self._reset()

    def submit(self, name: str, *arguments: Any) -> Future[Any]:
        """Queue a job.

        The future raises `Undecided`, `JobFailed`, or `VerifierError` if no process can be started.
        """
        if self._owner != os.getpid():  # a fork inherits neither threads nor the right to these pipes
            self._reset()
        future: Future[Any] = Future()
        with self._lock:
            self.jobs += 1
            self._waiting += 1
            self._queue.put((future, [name, *arguments]))
            if self._waiting > self._idle and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._serve, name="ponder-verifier", daemon=True).start()
        return future

    async def run(self, name: str, *arguments: Any) -> Any:
        """Do a job and wait for it; see `submit`."""
        return await wait(self.submit(name, *arguments))

    def close(self) -> None:
        """End the processes. Later jobs start new ones."""
        with self._lock:
            processes = list(self._processes)
        for process in processes:
            process.end()

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Future[Any], list[Any]]] = queue.SimpleQueue()
        self._threads = self._idle = self._waiting = 0
        self._processes: set[_Process] = set()

    def _serve(self) -> None:
        process: _Process | None = None
        while True:
            with self._lock:
                self._idle += 1
            future, job = self._queue.get()
            with self._lock:
                self._idle -= 1
                self._waiting -= 1
            try:
                if process is not None and not process.alive:
                    process.end()
                    process = None
                process = process or self._start()
                future.set_result(process.do(job, self._seconds * _PATIENCE))
            except Exception as error:  # noqa: BLE001 - it is for whoever waits
                future.set_exception(error)

    def _start(self) -> _Process:
        process = _Process(self._seconds, self._memory)
        with self._lock:
            if not self._processes:
                atexit.register(self.close)
            self._processes = {other for other in self._processes if other.alive} | {process}
        return process


class _Process:
    """One worker process and the pipes to it."""

    def __init__(self, seconds: float, memory: int) -> None:
        # The program is found where this one found it, whatever the working directory; no keys are handed on.
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, "-P", "-m", "ponder.workers.worker", str(seconds), str(memory)]
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the parent, which ends its workers itself
            )
        except OSError as error:
            raise VerifierError(f"cannot start the process that compares answers: {error}") from None
        self._rehearsed: set[str] = set()

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def do(self, job: list[Any], limit: float) -> Any:
        name = job[0]
        try:
            send(self._stdin, job)
            if name not in self._rehearsed:
                self._rehearse(name)
            with self._killed_after(limit):
                reply = receive(self._stdout)
        except (EOFError, OSError):
            self.end()
            raise Undecided(f"{name} was given up after {limit / _PATIENCE:g} s or crashed") from None
        if "undecided" in reply:
            raise Undecided(reply["undecided"])
        if "error" in reply:
            raise JobFailed(reply["error"])
        return reply["value"]

    def _rehearse(self, name: str) -> None:
        try:
            with self._killed_after(_START_SECONDS):
                reply = receive(self._stdout)
        except EOFError:
            self.end()
            reply = {"error": f"it ended with status {self._popen.returncode}"}
        if "error" in reply:
            self.end()
            raise VerifierError(f"the process that compares answers does not work: {reply['error']}")
        self._rehearsed.add(name)

    def end(self) -> None:
        """Kill the process and release its pipes. Safe to call twice, and while a job runs."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._popen.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def _stdin(self) -> Any:
        return self._popen.stdin

    @property
    def _stdout(self) -> Any:
        return self._popen.stdout


@cache
def shared_workers() -> Workers:
    """The pool that all of this program's answers and verifiers share."""
    return Workers()


async def wait(future: Future[Any]) -> Any:
    """The result of `future`, which belongs to no event loop; giving up the wait leaves it running."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop may have ended in the meantime
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    await done.wait()
    return future.result()
