"""A recorded question as a model behind a real server, and the same question in replay."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.methods.controller import ControllerPlan, Plan, Program, View
from ponder.core.methods.plane import decide
from ponder.core.settings import PROBE
from ponder.replay.plane.arrays import furnish, outcomes, tables
from ponder.replay.plane.rounds import play_all
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, Trace, build
from tests.servers.replies import Said

__all__ = ["INTERVAL", "LIMIT", "SEED", "Episode", "Speaker", "questions", "replayed", "trace", "watched"]

INTERVAL = 8
LIMIT = 200
"""Tokens after which a branch is cut off."""

BRANCHES = 64

SEED = 0
"""Of the run: the engine's seed of a branch follows from it."""


def _branch(rng: random.Random, right: str, sureness: float) -> RecordedBranch:
    """It doubts, then it is convinced, mostly of the right answer; now and then a probe finds nothing."""
    length = min(LIMIT, 3 + int(rng.expovariate(1 / 70)))
    conviction = right if rng.random() < sureness else rng.choice("2345")
    changes = rng.random() * length

    def probe(at: int) -> str | None:
        return None if rng.random() < 0.1 else conviction if at > changes else rng.choice("123456")

    # As a model would be recorded: a probe wherever an interval ends in the middle of the branch.
    probes = [probe(at) for at in range(INTERVAL, length, INTERVAL)]
    cut = length == LIMIT
    final = None if cut or rng.random() < 0.05 else conviction
    return RecordedBranch(probes, length, final, finish="length" if cut else "stop")


def questions() -> list[RecordedQuestion]:
    """An easy one and a hard one."""
    rng = random.Random(5)
    return [
        RecordedQuestion("?", "1", [_branch(rng, "1", sureness) for _ in range(BRANCHES)]) for sureness in (0.8, 0.35)
    ]


def trace() -> Trace:
    """Both questions."""
    return build("served", INTERVAL, questions())


class Speaker:
    """Says recorded branches, in this order: the seed of a fresh reply says which, one that is continued goes on.

    A word names its branch and its place there; a probe is answered with one token. `asked` are the branches that were
    continued or probed, in the order of the calls.
    """

    def __init__(self, branches: Sequence[RecordedBranch], order: Sequence[int]) -> None:
        self._branches = branches
        self._order = order
        self._seeds = {zlib.crc32(f"{SEED}:b{b}:0".encode()) & 0x7FFFFFFF: b for b in range(len(branches))}
        self.asked: list[int] = []

    def __call__(self, body: dict[str, Any], index: int) -> Said:
        """Choice `index` of the reply to a text completion."""
        prompt: str = body["prompt"]
        said = re.findall(r"w(\d+)x(\d+)", prompt)
        if not said:
            return self._speak(self._seeds[body["seed"]] + index, 0, body)
        b, at = map(int, said[-1])
        self.asked.append(b)
        if prompt.endswith(PROBE):
            answer = self._of(b).probes[(at + 1) // INTERVAL - 1]
            return Said([f"{answer or ''}}}"], "stop")
        return self._speak(b, at + 1, body)

    def _of(self, b: int) -> RecordedBranch:
        return self._branches[self._order[b]]

    def _speak(self, b: int, start: int, body: dict[str, Any]) -> Said:
        branch = self._of(b)
        words = [f" w{b}x{at}" for at in range(branch.length)]
        if branch.finish == "length":
            words.append(" and more")
        elif branch.final is not None:
            words[-1] = f" \\boxed{{{branch.final}}}"
        rest, most = words[start:], body["max_tokens"]
        return Said(rest[:most], "length" if len(rest) > most else "stop")


@dataclass(frozen=True)
class Episode:
    """What a controller did: the plan of each round, then its answer and what it cost in tokens."""

    plans: list[Any]
    answer: str | None
    tokens: int
    sequential: int
    probes: int


def watched(program: Program, plans: list[Any]) -> Program:
    """The same controller; its plans are written down."""

    def run(view: View, plan: Plan, *options: Any) -> Iterator[None]:
        for _ in program(view, plan, *options):
            moves = [
                (b, plan.prune[b], plan.advance[b], plan.run[b])
                for b in range(view.n_opened[0] + plan.open[0])
                if plan.prune[b] or plan.advance[b] or plan.run[b]
            ]
            plans.append((plan.open[0], moves))
            yield

    return run


def replayed(recorded: Trace, question: int, order: Any, controller: ControllerPlan, budget: int = 0) -> Episode:
    """One episode; a probe costs its one token."""
    view, plan, books = furnish(recorded, lists=True)
    data = tables(recorded, order.reshape(1, -1), 1, lists=True, budget=budget)
    plans: list[Any] = []
    results = outcomes(len(recorded.questions))
    program = watched(controller.controller.program, plans)
    part = (question, question + 1)
    mistake, *_ = play_all(program, controller.arguments, view, plan, books, data, results, part, 1)
    assert mistake == 0
    answer = decide(view, plan)
    return Episode(
        plans,
        None if answer < 0 else recorded.answers[question][books.known[answer]],
        int(results.tokens[question]),
        int(results.sequential[question]),
        int(results.probes[question]),
    )
