"""A suite of questions recorded with a model: question by question, and none twice."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ponder.core.answers import AnswerFormat
from ponder.core.backend import Backend, Capability, Prepares
from ponder.core.problem import INSTRUCTION, Problem
from ponder.core.settings import Settings
from ponder.engine.live import Live
from ponder.replay.about import About
from ponder.replay.recording.branches import record_question
from ponder.replay.recording.problems import Asked
from ponder.replay.recording.shards import Shards

__all__ = ["Headway", "Recording", "can_probe", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is recorded: `n` branches for each question, probed every `interval` tokens, or never.

    `source` says where the questions come from. Question i is sampled with the seed ``seed + i``. `texts` keeps what
    the branches wrote.
    """

    asked: Sequence[Asked]
    source: str
    n: int
    interval: int | None
    settings: Settings
    seed: int
    texts: bool = True


@dataclass(slots=True)
class Headway:
    """How far a recording is. `kept` is how many questions an earlier life of it had finished."""

    total: int
    kept: int = 0
    done: int = 0
    _spent: int = 0
    _running: dict[int, Live] = field(default_factory=dict)
    _born: float = field(default_factory=time.monotonic)

    @property
    def tokens(self) -> int:
        """Generated in this life, probes included."""
        return self._spent + sum(live.state.bill.total_tokens for live in self._running.values())

    @property
    def seconds(self) -> float:
        """Of this life."""
        return time.monotonic() - self._born

    @property
    def left(self) -> float | None:
        """Seconds until the end, None before the first question is finished."""
        return self.seconds / self.done * (self.total - self.kept - self.done) if self.done else None

    def begin(self, number: int, live: Live) -> None:
        """A question is being recorded."""
        self._running[number] = live

    def end(self, number: int) -> None:
        """It is finished."""
        self._spent += self._running.pop(number).state.bill.total_tokens
        self.done += 1


def can_probe(backend: Backend) -> bool:
    """True if branches can be continued after an interval."""
    return Capability.CONTINUE in backend.capabilities


async def record(
    what: Recording, backend: Backend, out: Path, answers: Callable[[Problem], AnswerFormat], headway: Headway
) -> None:
    """Record to the file `out`, which appears at the end; until then finished questions are in the folder `out`.part.

    What is stopped, by whatever, goes on from there when it is called again with the same options. `headway` is kept
    up to date; `answers` gives the answer format of a problem. As many questions are recorded at a time as the
    backend's concurrency has room for.

    Raises:
        UsageError: `out` exists, or something else was recorded in the folder.
        BackendError: a call failed, retries included.
        TraceError: the file cannot be written.
        MissingCapability: pyarrow is not installed, or there are to be probes and the backend cannot continue a text.
    """
    if isinstance(backend, Prepares):
        await backend.prepare()
    shards = Shards(out, _about(what, backend, out), what.asked)
    with shards.claimed():
        finished = shards.finished()
        headway.kept = len(finished)
        turns = asyncio.Semaphore(max(1, backend.concurrency // what.n))

        async def one(number: int) -> None:
            async with turns:
                question = await record_question(
                    what.asked[number], backend, n=what.n, interval=what.interval, settings=what.settings,
                    seed=what.seed + number, answers=answers(what.asked[number].problem),
                    begun=lambda live: headway.begin(number, live),
                )  # fmt: skip
                if not what.texts:
                    question = replace(question, branches=[replace(each, text=None) for each in question.branches])
                shards.keep(number, question)
                headway.end(number)

        await _all([one(number) for number in range(len(what.asked)) if number not in finished])
        shards.join()


async def _all(jobs: Sequence[Any]) -> None:
    """Run them; the first failure cancels the others and is raised as it is."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _about(what: Recording, backend: Backend, out: Path) -> About:
    options = {name: value for name, value in asdict(what.settings).items() if name in _SAMPLING and value is not None}
    if what.interval is not None:
        options["probe_tokens"] = what.settings.probe_tokens
    return About(
        name=out.name.removesuffix(".parquet"),
        interval=what.interval,
        model=backend.name,
        settings={"n": what.n, "seed": what.seed, **options, "instruction": INSTRUCTION, "texts": what.texts},
        probe=what.settings.probe if what.interval is not None else "",
        source=what.source,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
    )


_SAMPLING = ("max_tokens", "temperature", "top_p", "thinking")


def _versions() -> dict[str, str]:
    """Of Ponder, and of what generated the questions and ran the model, as far as that was in this process."""
    packages = {"ponder": "ponder", "xllamacpp": "xllamacpp", "reasoning_gym": "reasoning-gym"}
    return {name: importlib.metadata.version(name) for module, name in packages.items() if module in sys.modules}
