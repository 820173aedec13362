"""Carry out a recording in the foreground: shown while it goes on, stopped by signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from ponder.cli.settings.sources import note_sources
from ponder.cli.shell import Terminated, say
from ponder.cli.terminal.format import clip, count, duration
from ponder.cli.terminal.signs import NEXT_SIGN, first_sign
from ponder.core.backend import Backend, Prepares
from ponder.core.errors import BudgetExhausted, PonderError
from ponder.replay.recording.record import Headway, Recording, can_probe, record

__all__ = ["follow"]

REFRESH = 0.5
"""Seconds between two looks at what is new."""


def follow(what: Recording, backend: Backend, out: Path) -> None:
    """Record, and tell on standard error how it goes; `backend` is closed at the end.

    Raises:
        PonderError: it cannot be done, or failed.
        KeyboardInterrupt: SIGINT or SIGTERM stopped it; a second one ends the process at once.
    """
    headway = Headway(len(what.asked))
    stopped: list[int] = []
    try:
        asyncio.run(_run(what, backend, out, headway, stopped))
    except BudgetExhausted as error:
        kept = f"{headway.kept + headway.done} of {count(headway.total, 'question')} are kept in {out}.part"
        ended = BudgetExhausted(f"{error}; {kept}; the same command goes on from there", error.limit)
        note_sources(ended)
        raise ended from None
    except PonderError as error:
        note_sources(error)
        raise
    except asyncio.CancelledError:
        kept = count(headway.kept + headway.done, "question")
        say(f"{kept} of {headway.total} are kept in {out}.part; the same command goes on from there")
        raise (Terminated if signal.SIGTERM in stopped else KeyboardInterrupt) from None
    say(f"{out}: {count(headway.total, 'question')} × {count(what.n, 'branch', 'branches')}")


async def _run(what: Recording, backend: Backend, out: Path, headway: Headway, stopped: list[int]) -> None:
    from ponder.answers import Answers

    task = asyncio.current_task()
    assert task is not None

    def stop(number: int) -> None:
        if stopped:
            os._exit(128 + number)
        stopped.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    ticker = asyncio.ensure_future(_tell(headway))
    try:
        if isinstance(backend, Prepares):
            await backend.prepare()
        if what.interval is not None and not can_probe(backend):
            say(f"{backend.name} cannot continue a branch, so none is probed: this trace has width and no depth")
            what = replace(what, interval=None)
        await record(what, backend, out, lambda problem: Answers(question=problem.question), headway)
    finally:
        await backend.aclose()
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker


async def _tell(headway: Headway) -> None:
    """One line that changes on a terminal; elsewhere one for each question, and one where these take long."""
    terminal, told, next_sign = sys.stderr.isatty(), 0, time.monotonic() + first_sign()
    try:
        while True:
            if terminal:
                print(f"\r\x1b[K{clip(_line(headway), 79)}", end="", file=sys.stderr, flush=True)
            elif headway.done > told or time.monotonic() >= next_sign:
                told, next_sign = headway.done, time.monotonic() + NEXT_SIGN
                say(_line(headway))
            await asyncio.sleep(REFRESH)
    finally:
        if terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _line(headway: Headway) -> str:
    parts = [f"{headway.kept + headway.done} of {count(headway.total, 'question')}"]
    if headway.tokens:
        parts.append(f"{headway.tokens / headway.seconds:,.0f} tokens/s")
    if headway.left is not None:
        parts.append(f"{duration(headway.left)} left")
    return " · ".join(parts)
