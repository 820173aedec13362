"""One question recorded: its branches grow together, and are probed after each interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ponder.core.answer import Answer
from ponder.core.answer_format import AnswerFormat
from ponder.core.backend import Backend, Capability
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.errors import BackendError
from ponder.core.methods.registry import Plan, Strategy
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.engine.resume.journal import Record
from ponder.engine.steps import so_far
from ponder.replay.recording.problems import Asked
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion

__all__ = ["Begun", "record_question"]

Begun = Callable[[Live], None]
"""Told of a run as it begins."""


async def record_question(
    asked: Asked,
    backend: Backend,
    *,
    n: int,
    interval: int | None,
    settings: Settings,
    seed: int,
    answers: AnswerFormat,
    begun: Begun,
    budget: Budget | None = None,
) -> RecordedQuestion:
    """`n` branches to their end, probed after every `interval` tokens; never, without an interval.

    Answers that mean the same are the same text in the result: that of the reference, if they mean what it does.

    Raises:
        BackendError: a call failed, retries included: a trace has no gaps.
    """
    log = _Log()
    live = Live(_plan(n, interval, log), asked.problem, backend, answers=answers, settings=settings, seed=seed,
                budget=budget, journal=log)  # fmt: skip
    begun(live)
    answer = await live.run()
    _check(answer, log)
    wording = await _wording(asked.reference, answer, log, answers)
    return RecordedQuestion(asked.question, asked.reference, [log.recorded(each, wording) for each in answer.branches])


def _plan(n: int, interval: int | None, log: _Log) -> Plan:
    """A recording is a strategy like any other, run by the driver that runs them all, under its ledger."""

    async def record(s: Session) -> Answer:
        branches = await s.sample(n)
        if interval is None:
            return vote(await s.extend(branches))
        while branches:
            branches = [branch for branch in await s.extend(branches, tokens=interval) if branch.live]
            if branches:
                for branch, found in zip(branches, await s.probe(branches), strict=True):
                    log.probes[branch.id].append((branch.tokens, found))
        return vote([])

    needs = frozenset({Capability.SAMPLE} | ({Capability.CONTINUE} if interval else set()))
    return Strategy.of(record, needs=needs).plan()


@dataclass(slots=True)
class _Log:
    """What was found at the probes, and as the run's journal what they cost."""

    probes: dict[str, list[tuple[int, str | None]]] = field(default_factory=lambda: defaultdict(list))
    _calls: list[tuple[str, int, bool]] = field(default_factory=list)
    _costs: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    answered: int = 0

    def intend(self, lane: str, step: int, part: str, intent: Record, at: float) -> int:
        """An attempt at a call begins."""
        self._calls.append((part, step, intent["purpose"] == "probe"))
        return len(self._calls) - 1

    def settle(self, row: int, result: Record, at: float) -> None:
        """It has ended."""
        part, step, probe = self._calls[row]
        if probe:
            self._costs[part][step] += result["charge"].get("output", 0)
            self.answered += "choices" in result

    def note(self, lane: str, step: int, part: str, result: Record, at: float) -> None:
        """Decisions are in the answer."""

    def flush(self) -> None:
        """Nothing here outlives the process."""

    def recorded(self, branch: Branch, wording: dict[str, str]) -> RecordedBranch:
        """A branch that has ended."""
        probes = self.probes[branch.id]
        return RecordedBranch(
            probes=[None if found is None else wording[found] for _, found in probes],
            length=branch.tokens,
            final=None if branch.answer is None else wording[branch.answer],
            probe_tokens=[tokens for tokens, _ in probes],
            probe_costs=[cost for _, cost in sorted(self._costs[branch.id].items())],
            finish="stop" if branch.ending == "stop" else "length",
            text=so_far(branch),
            logprob=branch.logprob,
            score=branch.score,
        )


def _check(answer: Answer, log: _Log) -> None:
    whole = all(branch.complete for branch in answer.branches)
    if not whole or log.answered != sum(map(len, log.probes.values())):
        raise BackendError("; ".join(answer.notes) or answer.stopped_because)


async def _wording(reference: str | None, answer: Answer, log: _Log, answers: AnswerFormat) -> dict[str, str]:
    """For each answer of the run the text that stands for it."""
    given = [branch.answer for branch in answer.branches]
    given += [found for probes in log.probes.values() for _, found in probes]
    wording = {}
    for each in dict.fromkeys(given):
        if each is not None:
            right = reference is not None and await answers.same(reference, each)
            wording[each] = reference if right and reference is not None else each
    return wording
