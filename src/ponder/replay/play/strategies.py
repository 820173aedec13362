"""How an ordinary strategy would have done on a recorded trace: the sync driver, one episode after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ponder.core.budget import Budget
from ponder.core.methods.registry import Plan
from ponder.core.problem import Problem
from ponder.core.settings import Settings
from ponder.engine.simulation import drive
from ponder.replay.play.conditions import check_cost, orders_of, tokens_of
from ponder.replay.play.outcome import Replayed
from ponder.replay.play.recorded_branches import Pool, Recorded
from ponder.replay.traces.trace import Trace

__all__ = ["branches_of", "drive_all"]

MOST_BRANCH_TOKENS = 1_000_000
"""The bound of `ponder.core.settings.Settings.max_tokens`."""


def drive_all(
    trace: Trace,
    plan: Plan,
    *,
    orders: int = 100,
    seed_order: str = "python",
    probe_cost: int = 0,
    budget: Budget | None = None,
) -> Replayed:
    """Run a strategy on every question of a trace, under so many orders of its branches; the order is its seed.

    It may sample, extend, probe, prune and score, as far as the trace has it; the bill is the one of a live run.

    Raises:
        StrategyError: the strategy is wrong.
        MissingCapability: it asks for something that was not recorded.
        TooFewBranches: it asks for more branches than there are.
    """
    import numpy as np

    tokens_of(budget)
    shuffled = orders_of(seed_order, trace.branches, orders).tolist()
    longest = min(max(1, int(trace.lengths.max())), MOST_BRANCH_TOKENS)
    settings = Settings(max_tokens=longest, probe_tokens=max(1, probe_cost))
    shape = (len(trace.questions), orders)
    made = Replayed(np.zeros(shape, bool), np.zeros(shape, np.int32), *np.zeros((3, *shape), np.int64))
    for q, text in enumerate(trace.questions):
        problem = Problem(messages=({"role": "user", "content": text},))
        ids: dict[Any, int] = {answer: i for i, answer in enumerate(trace.answers[q])}
        recorded = list(branches_of(trace, q, check_cost(trace, probe_cost)))
        for o, order in enumerate(shuffled):
            pool = Pool([recorded[i] for i in order])
            answer = drive(plan, problem, pool, settings=settings, budget=budget, seed=o)
            made.answers[q, o] = ids.get(answer.value, -1)
            made.correct[q, o] = made.answers[q, o] == trace.references[q]
            made.tokens[q, o] = answer.bill.total_tokens
            made.sequential[q, o] = answer.bill.sequential_tokens
            made.opened[q, o] = len(answer.branches)
    return made


def branches_of(trace: Trace, question: int, probe_cost: int) -> Iterator[Recorded]:
    """The branches of a question, every probe at the same price."""
    names = (*trace.answers[question], None)  # so that the id -1 is None
    for at in range(question * trace.branches, (question + 1) * trace.branches):
        probes = range(trace.starts[at], trace.starts[at] + trace.counts[at])
        yield Recorded(
            answer=names[trace.finals[at]],
            tokens=int(trace.lengths[at]),
            logprob=_known(trace.logprobs, at),
            score=_known(trace.scores, at),
            probes={
                _tokens(trace, i, depth): (names[trace.probes[i]], probe_cost) for depth, i in enumerate(probes, 1)
            },
        )


def _known(column: Any, at: int) -> float | None:
    return None if column is None or column[at] != column[at] else float(column[at])


def _tokens(trace: Trace, probe: int, depth: int) -> int:
    """The length at which the probe was asked."""
    return depth * trace.interval if trace.probe_tokens is None else int(trace.probe_tokens[probe])
