"""What every client shares: the questions, and how wall time and CPU time are taken. Standard library only.

CPU time is user plus system time of the client's process and of all its descendants, dead or alive. Both clocks
start after one question that warms up imports, connections and workers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Job", "Meter", "ask_all", "boxed"]

QUESTIONS_AT_ONCE = 4
"""Questions an asyncio client has open: always more calls wanted than may be under way, and no pile of tasks."""

_BOXED = re.compile(r"\\boxed\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Job:
    """What a client has to do: `samples` calls for each question, at most `concurrency` at once, then a vote."""

    url: str
    samples: int
    concurrency: int
    questions: list[str]
    warm_up: str

    @classmethod
    def from_command_line(cls) -> Job:
        parser = argparse.ArgumentParser()
        parser.add_argument("--url", required=True)
        for name in ("questions", "samples", "concurrency"):
            parser.add_argument(f"--{name}", type=int, required=True)
        options = parser.parse_args()
        return cls(
            options.url,
            options.samples,
            options.concurrency,
            [_question(number) for number in range(options.questions)],
            _question(9999),
        )


class Meter:
    """Wall and CPU seconds between `start` and `finish`."""

    def __init__(self) -> None:
        self._cpu = 0.0
        self._wall = 0.0

    def start(self) -> None:
        self._cpu = _cpu_seconds()
        self._wall = time.perf_counter()

    def finish(self, answers: list[str | None]) -> None:
        """Print the figures and the voted answers as one line of JSON."""
        wall, cpu = time.perf_counter() - self._wall, _cpu_seconds() - self._cpu
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "answers": answers}))


async def ask_all(ask: Callable[[str], Awaitable[str | None]], questions: list[str]) -> list[str | None]:
    """The answers to all questions, `QUESTIONS_AT_ONCE` of them open at a time."""
    gate = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def gated(question: str) -> str | None:
        async with gate:
            return await ask(question)

    return list(await asyncio.gather(*map(gated, questions)))


def boxed(text: str) -> str | None:
    r"""The content of the first `\boxed{...}`, the way all clients that parse for themselves find an answer."""
    found = _BOXED.search(text)
    return found[1] if found else None


def _question(number: int) -> str:
    return (
        f"This is item {number:04d}. A warehouse receives crates on Monday, twice as many on Tuesday and half of the"
        " total on Wednesday, and sells a third of what it holds each evening. How many crates are left on Thursday"
        ' morning?\n\nThink step by step. Then write "Answer:" followed by the final answer alone, as the last line.'
    )


def _cpu_seconds() -> float:
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(_cpu_of(child) for child in _children(os.getpid()))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + alive


def _cpu_of(pid: int) -> float:
    """CPU seconds of a living process with its own descendants; Linux only, 10 ms fine."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    ticks = sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_cpu_of(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in listing.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
