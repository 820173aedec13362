"""A few processes for work that may hang, crash or eat memory, shared by all runs in turn."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from ponder.core.host.capacity import cores
from ponder.workers.process import JobFailed, Process, Undecided
from ponder.workers.share import Share, sharing
from ponder.workers.turns import Turns

__all__ = ["Dropped", "JobFailed", "Undecided", "UsedUp", "Workers", "shared_workers", "wait"]

_MOST = 8
"""Processes, however many cores there are: each takes some 150 MB."""


class UsedUp(Undecided):
    """The job was not taken: the run has had its share of the workers' time."""


class Dropped(Undecided):
    """The job was taken and never begun: whoever asked first gave it up, or had had its share by then."""


class _Task(NamedTuple):
    future: Future[Any]
    job: list[Any]
    share: Share | None


class Workers:
    """Runs jobs of `ponder.workers.worker` in at most `size` processes, started when first needed.

    Without a `size` there is one more than cores. The owners of jobs (`ponder.workers.share`) take turns, and none has
    the last process for itself: a job of another one need not wait for the end of any. A job that takes more than
    `seconds` of CPU time, or five times that on the clock, is killed with its process; the next one gets a fresh
    process. `memory` limits the address space of each in bytes. Usable from any thread and from one event loop after
    another. `jobs` counts the jobs taken so far.
    """

    def __init__(self, size: int | None = None, seconds: float = 2.0, memory: int = 1 << 30) -> None:
        self.jobs = 0
        self._size = min(cores() + 1, _MOST) if size is None else size
        self._seconds, self._memory = seconds, memory
        self._reset()

    def submit(self, name: str, *arguments: Any) -> Future[Any]:
        """Queue a job of the run that this task works for.

        The future raises `Undecided`, `JobFailed`, or `VerifierError` if no process can be started. One that is
        cancelled before its job has begun takes it out of the queue.

        Raises:
            UsedUp: the run has had its share.
        """
        if self._owner != os.getpid():  # a fork inherits neither threads nor the right to these pipes
            self._reset()
        share = sharing()
        if share is not None and share.used_up:
            share.short = True
            raise UsedUp(f"{name} was not tried: the run has had its {share.seconds:g} s")
        task = _Task(Future(), [name, *arguments], share)
        with self._changed:
            self.jobs += 1
            self._turns.put(share.owner if share else "", task)
            if self._turns.ready > self._idle and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._serve, name="ponder-verifier", daemon=True).start()
            self._changed.notify()
        return task.future

    async def run(self, name: str, *arguments: Any) -> Any:
        """Do a job and wait for it; see `submit`."""
        return await wait(self.submit(name, *arguments))

    def close(self) -> None:
        """End the processes. Later jobs start new ones."""
        with self._changed:
            processes = list(self._processes)
        for process in processes:
            process.end()

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._turns: Turns[_Task] = Turns(max(1, self._size - 1))
        self._threads = self._idle = 0
        self._processes: set[Process] = set()

    def _serve(self) -> None:
        process: Process | None = None
        while True:
            with self._changed:
                self._idle += 1
                while (taken := self._turns.take()) is None:
                    self._changed.wait()
                self._idle -= 1
            owner, task = taken
            process = self._attend(process, task)
            with self._changed:
                self._turns.end(owner)
                self._changed.notify()

    def _attend(self, process: Process | None, task: _Task) -> Process | None:
        """Do a task in `process`, or in a new one if that has ended; returns the one that did it."""
        future, job, share = task
        if not future.set_running_or_notify_cancel():
            return process
        if share is not None and share.used_up:
            share.short = True
            future.set_exception(Dropped(f"{job[0]} was not tried: its run has had its {share.seconds:g} s"))
            return process
        try:
            if process is not None and not process.alive:
                process.end()
                process = None
            process = process or self._start()
            result = process.do(job)
        except Exception as error:  # noqa: BLE001 - it is for whoever waits
            self._charge(share, process)
            future.set_exception(error)
        else:
            self._charge(share, process)
            future.set_result(result)
        return process

    def _charge(self, share: Share | None, process: Process | None) -> None:
        if share is not None and process is not None:
            with self._changed:
                share.spent += process.used

    def _start(self) -> Process:
        process = Process(self._seconds, self._memory)
        with self._changed:
            if not self._processes:
                atexit.register(self.close)
            self._processes = {other for other in self._processes if other.alive} | {process}
        return process


@cache
def shared_workers() -> Workers:
    """The pool that all of this program's answers and verifiers share."""
    return Workers()


async def wait(future: Future[Any]) -> Any:
    """The result of `future`, which belongs to no event loop. Giving up the wait drops the job, if it has not begun.

    Raises:
        Dropped: somebody else who waited for it has given up.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop may have ended in the meantime
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    try:
        await done.wait()
    except asyncio.CancelledError:
        future.cancel()
        raise
    if future.cancelled():
        raise Dropped("whoever asked first gave it up")
    return future.result()
