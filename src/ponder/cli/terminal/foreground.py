"""Carry out one run in the foreground: shown while it goes on, stopped by signals, its bill always settled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from ponder.api import OnStart
from ponder.cli.settings.sources import note_sources
from ponder.cli.shell import Terminated, Unwritable, say
from ponder.cli.terminal.format import count
from ponder.cli.terminal.report import spent
from ponder.cli.terminal.signs import NEXT_SIGN, first_sign
from ponder.cli.terminal.snapshot import Picture
from ponder.cli.terminal.views import View
from ponder.core.answer import Answer
from ponder.core.backend import Backend
from ponder.core.errors import PonderError
from ponder.engine.live.call import Watch
from ponder.engine.live.driver import Live
from ponder.engine.program import blame

__all__ = ["Outcome", "Start", "conduct"]

REFRESH = 1 / 8
"""Seconds between two pictures."""

Start = Callable[[Watch, OnStart], Coroutine[Any, Any, Answer]]
"""Begins a run that reports to these two."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its answer, and the signal that stopped it, if one did."""

    answer: Answer
    signal: int | None

    @property
    def exit_code(self) -> int:
        """0 with an answer or a whole reply, 1 without; or what shells say of a program that a signal ended."""
        if self.signal is not None:
            return 128 + self.signal
        answer = self.answer
        return 0 if answer.value is not None or answer.whole or answer.abstained else 1


def conduct(start: Start, backend: Backend, view: View, every: float = NEXT_SIGN) -> Outcome:
    """Carry out a run against `backend`, and close it. There is a sign of life `every` so many seconds.

    The first SIGINT or SIGTERM makes the run answer with what it has, the second ends the process at once; the journal
    holds what was done. What a failed run had spent is a note on the exception.

    Raises:
        PonderError: the run failed.
        KeyboardInterrupt: a signal came before the run had begun, or the strategy raised it.
        BrokenPipeError: nobody reads the output any more; the run was stopped.
    """
    conductor = _Conductor(view, first_sign(), every)
    before = {number: signal.signal(number, conductor.signalled) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        answer = asyncio.run(conductor.run(start, backend))
    except BaseException as error:  # noqa: BLE001 - what comes of it is raised
        failure = conductor.failure(error)
        conductor.annotate(failure)
        raise failure from None
    finally:
        view.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return Outcome(answer, conductor.signal)


class _Conductor:
    def __init__(self, view: View, first: float, every: float) -> None:
        self.signal: int | None = None
        self._view = view
        self._first, self._every = first, every
        self._picture: Picture | None = None
        self._waits_for = ""
        self._live: Live | None = None
        self._name: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._born = time.monotonic()
        self._next_sign = self._born + first

    async def run(self, start: Start, backend: Backend) -> Answer:
        self._loop = asyncio.get_running_loop()
        self._waits_for = backend.name
        self._task = asyncio.ensure_future(start(self._watch, self._began))
        ticker = asyncio.ensure_future(self._tick())
        try:
            answer = await self._task
            self._view.refresh()
            return answer
        finally:
            await backend.aclose()
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker

    def _began(self, live: Live, name: str | None) -> None:
        self._live, self._name, self._picture = live, name, Picture(live)
        self._next_sign = time.monotonic() + self._first
        self._view.began(live)

    def _watch(self, branch: str, text: str, tokens: int) -> None:
        if self._picture is not None:
            self._picture.watch(branch, text, tokens)
        self._view.watch(branch, text, tokens)

    async def _tick(self) -> None:
        try:
            while True:
                self._view.refresh()
                self._give_sign()
                await asyncio.sleep(REFRESH)
        except (BrokenPipeError, Unwritable):
            self._stop("nobody reads the output")
            raise

    def _give_sign(self) -> None:
        """A line on standard error from time to time, where nothing else moves: the run is alive."""
        now = time.monotonic()
        if self._view.moves or now < self._next_sign:
            return
        self._next_sign = now + self._every
        if self._live is None or self._picture is None:
            say(f"waiting for {self._waits_for}, {now - self._born:.0f} s")
            return
        branches = self._live.state.branches.values()
        done = sum(not branch.live for branch in branches)
        name = f"run {self._name}" if self._name else "the run"
        say(
            f"{name} is under way: {done} of {count(len(branches), 'branch', 'branches')} done, "
            f"{count(self._picture.total_tokens, 'token')}, {self._live.clock():.0f} s"
        )

    def signalled(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal, between any two steps of the program: a strategy may be computing without end."""
        if self._loop is None:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self.signal is not None:
            self._leave(128 + number)
        self.signal = number
        reason = "terminated" if number == signal.SIGTERM else "interrupted"
        self._loop.call_soon_threadsafe(self._stop, reason)

    def _leave(self, code: int) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # or an impatient third one cuts off these last words
        # What was interrupted here may have been in the middle of a print; there is no time to care.
        with contextlib.suppress(Exception):
            self._view.close()
            name = f"; `ponder resume {self._name}` goes on from here" if self._name else ""
            say(f"stopped at once{name}")
        os._exit(code)

    def _stop(self, reason: str) -> None:
        if self._live is None:
            self._task.cancel()
        elif not self._task.done():
            self._live.stop(reason)

    def failure(self, error: BaseException) -> BaseException:
        """What `error` means here: a cancellation is a signal's, and no strategy ends the program but from the keys."""
        escaped = self._live.escaped if self._live else None
        if self._live is not None and escaped is not None and not isinstance(escaped, KeyboardInterrupt):
            return blame(self._live.plan.strategy.name, escaped)
        if isinstance(error, asyncio.CancelledError):
            return Terminated() if self.signal == signal.SIGTERM else KeyboardInterrupt()
        return error

    def annotate(self, error: BaseException) -> None:
        """Note on `error` what the run had spent, and where its record is."""
        if isinstance(error, PonderError):
            note_sources(error)
        if self._live is None:
            return
        bill = self._live.bill
        if bill.calls:
            error.add_note(spent(bill))
            error.add_note(f"run {self._name}")
