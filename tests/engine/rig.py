"""What the engine's tests share: runs of one strategy function on an in-memory model, in virtual time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.budget import Budget
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.methods.registry import Plan, Strategy
from ponder.core.problem import Problem
from ponder.core.settings import Settings
from ponder.engine.live.driver import Live
from ponder.engine.resume.journal import Entry, Record, Recorded

__all__ = ["Clock", "Literally", "Memory", "Model", "live", "plan", "said", "solve", "virtually"]

Program = Callable[..., Coroutine[Any, Any, Answer]]
Play = Callable[[Request, Progress], Awaitable[Completion]]


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer: pauses, retries and deadlines take no time, in true order."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def virtually(main: Coroutine[Any, Any, Any]) -> Any:
    """Run `main` in virtual time."""
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(main)


class Literally:
    """Answers are what follows "Answer:", and equal if they are the same string."""

    async def extract(self, text: str) -> str | None:
        found = re.findall(r"Answer: (\S+)", text)
        return found[-1] if found else None

    async def same(self, left: str, right: str) -> bool:
        return left == right


class Model:
    """A model whose calls are played by a function; `requests` are those that reached it."""

    def __init__(
        self,
        play: Play,
        *,
        capabilities: Iterable[Capability] = Capability,
        concurrency: int = 64,
        price: Price | None = None,
        most_choices: int | None = None,
    ) -> None:
        self.name = self.model = "model"
        self.most_choices = most_choices
        self.capabilities = frozenset(capabilities)
        self.concurrency = concurrency
        self.price = price
        self.requests: list[Request] = []
        self._play = play

    async def generate(self, request: Request, progress: Progress) -> Completion:
        self.requests.append(request)
        return await self._play(request, progress)

    async def aclose(self) -> None:
        pass


def said(request: Request, *texts: str, prompt: int = 0) -> Completion:
    """These choices, a token a word; each ends by itself unless it is longer than allowed."""
    choices = []
    for text in texts:
        words = re.findall(r"\s*\S+", text)
        cut = len(words) > request.max_tokens
        words = words[: request.max_tokens]
        choices.append(Choice("".join(words), len(words), "length" if cut else "stop"))
    return Completion(tuple(choices), Usage(prompt, 0, sum(choice.tokens for choice in choices)))


def _json(data: Record) -> Any:
    return json.loads(json.dumps(data))


@dataclass
class Memory:
    """A journal in memory. After `dies` more writes it takes no more, as if the process had been killed then."""

    entries: list[Entry] = field(default_factory=list)
    dies: float = float("inf")

    def intend(self, lane: str, step: int, part: str, intent: Record, at: float) -> int:
        return self._write(Entry(lane, step, part, _json(intent), None, at))

    def note(self, lane: str, step: int, part: str, result: Record, at: float) -> None:
        self._write(Entry(lane, step, part, {}, _json(result), at))

    def settle(self, row: int, result: Record, at: float) -> None:
        self.dies -= 1
        if self.dies >= 0:
            before = self.entries[row]
            self.entries[row] = Entry(before.lane, before.step, before.part, before.intent, _json(result), at)

    def flush(self) -> None:
        """Every row is kept as it is written."""

    def _write(self, entry: Entry) -> int:
        self.dies -= 1
        if self.dies >= 0:
            self.entries.append(entry)
        return len(self.entries) - 1

    def recorded(self) -> Recorded:
        """As the next life of the run finds it: what had no result is lost."""
        self.entries = [
            Entry(e.lane, e.step, e.part, e.intent, {"lost": True} if e.result is None else e.result, e.at)
            for e in self.entries
        ]
        self.dies = float("inf")
        return Recorded(self.entries)


def plan(program: Program, **options: Any) -> Plan:
    """A plan for a function that is not registered."""
    return Plan(Strategy.of(program, program.__name__), options)


def live(program: Program, model: Any, *, max_tokens: int = 50, max_actions: int = 10_000, **options: Any) -> Live:
    """A run of `program` on `model`."""
    settings = Settings(max_tokens=max_tokens, max_actions=max_actions)
    if isinstance(options.get("budget"), str):
        options["budget"] = Budget.parse(options["budget"])
    options = {"answers": Literally(), "seed": 0, **options}
    return Live(plan(program), Problem.of("?"), model, settings=settings, **options)


def solve(
    program: Program,
    model: Any,
    *,
    run: Callable[[Coroutine[Any, Any, Answer]], Answer] = virtually,
    began: Callable[[Live], None] = lambda _: None,
    **options: Any,
) -> Answer:
    """The answer of `program` on `model`, in virtual time; `began` gets the run before it starts."""

    async def main() -> Answer:
        life = live(program, model, **options)
        began(life)
        return await life.run()

    return run(main())
