"""Runs that are cut off after any write to their journal, and resumed."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import random
from collections.abc import Callable
from typing import Any

import anyio
from rig import Literally, Memory, Model, said, virtually

from ponder.core.answer import Answer
from ponder.core.answer_format import AnswerFormat
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.budget import Budget
from ponder.core.completion import Choice, Completion
from ponder.core.errors import BackendError, PonderError
from ponder.core.methods.registry import Plan
from ponder.core.problem import Problem
from ponder.core.settings import Settings
from ponder.engine.live.driver import Live
from tests.kill.programs import LENGTH

__all__ = ["ONE_BY_ONE", "Crash", "Failure", "Outcome", "draw", "essence", "key", "life", "steady", "writes"]

ONE_BY_ONE = frozenset(Capability) - {Capability.N}

PACE = {"b0": 3, "b1": 1, "b2": 4, "b3": 6, "b4": 2, "b5": 5}
"""Seconds that branches opened first take: well apart, so that a restart does not change who is first."""

Failure = Callable[[Request], BackendError | None]


def draw(request: Request, index: int = 0) -> random.Random:
    """Randomness that depends on all that a call asks, and on nothing else."""
    about = f"{request.messages}{request.prefix}{request.max_tokens}{request.stop}{request.seed}"
    return random.Random(hashlib.sha256(f"{about}{index}".encode()).digest())


def steady(capabilities: frozenset[Capability] = ONE_BY_ONE, failure: Failure = lambda _: None) -> Model:
    """A model that repeats itself: text, latency and failure follow from the request."""

    async def play(request: Request, progress: Progress) -> Completion:
        name = request.branches[0] if request.branches else ""
        await anyio.sleep(PACE.get(name, draw(request).random() / 10))
        if (error := failure(request)) is not None:
            raise error
        reply = said(request, *(_text(request, draw(request, index)) for index in range(request.n)), prompt=10)
        choices = tuple(_stopped(choice, request) for choice in reply.choices)
        return Completion(choices, reply.usage)

    return Model(play, price=Price(0.15, 0.075, 0.6, "test"), capabilities=capabilities)


def _stopped(choice: Choice, request: Request) -> Choice:
    """With a log-probability, and as far as the first stop string."""
    ends = [choice.text.find(stop) for stop in request.stop if stop in choice.text]
    if ends:
        choice = dataclasses.replace(choice, text=choice.text[: min(ends)], finish="boundary")
    return dataclasses.replace(choice, logprob=-draw(request).random())


def _text(request: Request, rng: random.Random) -> str:
    words = " ".join(rng.choices(["so", "then", "thus\n\nhence", "Answer: 3"], k=rng.randint(3, 25)))
    return f" {words} Answer: {rng.randint(1, 3)}"


Outcome = Answer | PonderError


def life(
    plan: Plan,
    model: Model,
    journal: Memory,
    budget: Budget | None = None,
    *,
    after: float | None = None,
    then: Callable[[Live, asyncio.Task[Answer]], object] = lambda run, task: None,
    **options: Any,
) -> Outcome:
    """One life of a run: its answer, or the error that it ends with; `after` so many seconds `then` happens to it."""

    async def main() -> Outcome:
        run = Live(
            plan, Problem.of("?"), model, settings=Settings(max_tokens=40), seed=7, budget=budget, verifier=LENGTH,
            journal=journal, **{"answers": Literally(), **options},
        )  # fmt: skip
        task = asyncio.ensure_future(run.run())
        if after is not None:
            asyncio.get_running_loop().call_later(after, then, run, task)
        try:
            return await task
        except PonderError as error:
            return error

    outcome: Outcome = virtually(main())
    return outcome


def essence(outcome: Outcome, cut: int = 0) -> Any:
    """What no crash may change: everything but the time and the count of lost calls.

    Also not on the bill are `cut` calls that were lost when their branches had been given up already.
    """
    bill = outcome.bill
    assert bill is not None
    main = bill.by_model.get("main")
    models = {"main": dataclasses.replace(main, calls=main.calls + cut)} if main else {}
    bill = dataclasses.replace(
        bill, seconds=0, lost_calls=0, calls=bill.calls + cut, by_model={**bill.by_model, **models}
    )
    if isinstance(outcome, PonderError):
        return type(outcome), str(outcome), bill
    return dataclasses.replace(outcome, bill=bill)


def key(entry: Any) -> tuple[str, int, str]:
    return entry.lane, entry.step, entry.part


def writes(journal: Memory) -> int:
    """How often something was written."""
    return sum(1 if not entry.intent else 1 + (entry.result is not None) for entry in journal.entries)


class Crash:
    """A plan and a model, run once to the end: `expected`, in `writes` writes to its journal."""

    def __init__(
        self,
        plan: Plan,
        model: Callable[[], Model] = steady,
        budget: Budget | None = None,
        answers: AnswerFormat | None = None,
    ) -> None:
        self._plan = plan
        self._model = model
        self._budget = budget
        self._options: dict[str, Any] = {"answers": answers or Literally()}
        journal = Memory()
        self.expected = life(plan, model(), journal, budget, **self._options)
        self.writes = writes(journal)

    def after(self, *deaths: int) -> Outcome:
        """The outcome when each life of the run dies after so many writes, and a last one goes on to the end.

        It is checked that no call which had been answered is made again, and that the outcome is the expected one.
        """
        journal = Memory()
        options: dict[str, Any] = {**self._options}
        for dies in deaths:
            journal.dies = dies
            life(self._plan, self._model(), journal, self._budget, **options)
            options["recorded"] = journal.recorded()
        before = len(journal.entries)
        answered = {key(entry) for entry in journal.entries if "choices" in (entry.result or {})}
        outcome = life(self._plan, self._model(), journal, self._budget, **options)
        made = {key(entry) for entry in journal.entries[before:]}
        assert not answered & made, "an answered call was made again"
        lost = {key(entry) for entry in journal.entries if "lost" in (entry.result or {})}
        given_up = lost - {key(entry) for entry in journal.entries if "lost" not in (entry.result or {})}
        got, wanted = essence(outcome, len(given_up)), essence(self.expected)
        assert got == wanted, f"cut off after {deaths} of {self.writes} writes"
        return outcome
