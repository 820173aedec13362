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

from ponder.core.answer_format import AnswerFormat
from ponder.core.backend import Backend, Capability, Prepares
from ponder.core.bill import Bill
from ponder.core.budget import Budget
from ponder.core.errors import BudgetExhausted
from ponder.core.problem import INSTRUCTION, Problem
from ponder.core.settings import TEMPERATURE, Settings
from ponder.engine.live.driver import Live
from ponder.replay.recording.branches import record_question
from ponder.replay.recording.problems import Asked
from ponder.replay.recording.purse import Purse, worst
from ponder.replay.recording.shards import Shards
from ponder.replay.traces.about import About

__all__ = ["Headway", "Recording", "can_probe", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is recorded: `n` branches for each question, probed every `interval` tokens, or never.

    `source` says where the questions come from. Question i is sampled with the seed ``seed + i``. `texts` keeps what
    the branches wrote. `budget` is for all questions together, of one life of the recording.
    """

    asked: Sequence[Asked]
    source: str
    n: int
    interval: int | None
    settings: Settings
    seed: int
    texts: bool = True
    budget: Budget = field(default_factory=Budget)


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

    def bill(self, number: int) -> Bill:
        """What a question has cost that is being recorded."""
        live = self._running.get(number)
        return Bill() if live is None else live.state.bill

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
        BudgetExhausted: the next question does not fit the budget, or its time is up; what was finished is kept.
        InvalidOption: a budget in dollars, and nobody knows the price.
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

        purse = Purse(what.budget, backend.price)

        async def one(number: int) -> None:
            asked, settings = what.asked[number], what.settings
            most = worst(
                asked.question, what.n, what.interval, settings.max_tokens, settings.probe_tokens, backend.price
            )
            async with turns, purse.holding(most, lambda: headway.bill(number)) as budget:
                question = await record_question(
                    asked, backend, n=what.n, interval=what.interval, settings=settings, seed=what.seed + number,
                    answers=answers(asked.problem), begun=lambda live: headway.begin(number, live), budget=budget,
                )  # fmt: skip
                if not what.texts:
                    question = replace(question, branches=[replace(each, text=None) for each in question.branches])
                shards.keep(number, question)
            headway.end(number)

        await _in_time(what.budget.seconds, [one(n) for n in range(len(what.asked)) if n not in finished])
        shards.join()


async def _in_time(seconds: float | None, jobs: Sequence[Any]) -> None:
    try:
        async with asyncio.timeout(seconds) as limit:
            await _all(jobs)
    except TimeoutError:
        if not limit.expired():
            raise
        raise BudgetExhausted(f"budget seconds={seconds:g} reached", "seconds") from None


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
    options.setdefault("temperature", TEMPERATURE)
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
