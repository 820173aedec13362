"""How a controller would have done on a recorded trace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ponder.core.controller import Program
from ponder.core.errors import InvalidOption, StrategyError
from ponder.core.plane import MISTAKES
from ponder.replay.compiled import compiled, compiled_play_all
from ponder.replay.environment import Outcomes, begin, carry_out, play_all
from ponder.replay.rooms import furnish, outcomes, python_orders, tables
from ponder.replay.trace import Trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_ORDERS", "Replayed", "replay"]

MOST_ORDERS = 100_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """Q questions under O orders: per episode whether the answer was right, and what it cost in tokens."""

    correct: NDArray[np.bool_]
    """[Q, O]"""
    answers: NDArray[np.int32]
    """[Q, O] Ids of the trace, -1 for none."""
    tokens: NDArray[np.int64]
    """[Q, O] Over all branches, the pruned ones included."""
    sequential: NDArray[np.int64]
    """[Q, O] On the longest dependent chain."""
    opened: NDArray[np.int64]
    """[Q, O] Branches."""

    @property
    def accuracy(self) -> float:
        """The share of episodes with the right answer."""
        return float(self.correct.mean())

    @property
    def standard_error(self) -> float | None:
        """Of the accuracy, over questions; None for a single one."""
        questions = len(self.correct)
        if questions < 2:
            return None
        return float(self.correct.mean(axis=1).std(ddof=1) / questions**0.5)


def replay(
    trace: Trace,
    program: Program,
    options: Sequence[Any] = (),
    *,
    orders: int = 100,
    probe_cost: int = 0,
    interpreted: bool = False,
    threads: int = 1,
) -> Replayed:
    """Play `program` with these options on every question of a trace, under so many orders of its branches.

    The orders are those of `python_orders`. `probe_cost` is in tokens a probe.

    Raises:
        InvalidOption: no orders, or too many.
        StrategyError: the controller does what cannot be done; the text names the line.
    """
    if not 1 <= orders <= MOST_ORDERS:
        raise InvalidOption(f"orders={orders} must lie between 1 and {MOST_ORDERS:,}")
    if not 0 <= probe_cost <= trace.interval:
        raise InvalidOption(f"probe_cost={probe_cost} must lie between 0 and the interval, {trace.interval}")
    shuffled = python_orders(trace.branches, orders)
    data = tables(trace, shuffled, probe_cost, lists=interpreted)
    results = outcomes(len(trace.questions) * orders)
    run = play_all if interpreted else compiled_play_all()
    body = program if interpreted else compiled(program)

    def part(questions: tuple[int, int]) -> tuple[int, int, int]:
        room = furnish(trace, lists=interpreted)
        found: tuple[int, int, int] = run(body, tuple(options), *room, data, results, questions, orders)
        return found

    for mistake, question, order in _in_parts(part, len(trace.questions), threads):
        if mistake:
            raise StrategyError(_explained(trace, program, options, shuffled, question, order, MISTAKES[mistake]))
    return _shaped(results, len(trace.questions), orders)


def _in_parts(part: Any, questions: int, threads: int) -> list[tuple[int, int, int]]:
    threads = min(threads or os.cpu_count() or 1, questions)
    if threads == 1:
        return [part((0, questions))]
    part((0, 0))  # compile before, once
    edges = [questions * i // (4 * threads) for i in range(4 * threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(part, pairwise(edges)))


def _shaped(results: Outcomes, questions: int, orders: int) -> Replayed:
    def square(column: Any) -> Any:
        return column.reshape(questions, orders)

    return Replayed(
        correct=square(results.correct).astype(bool),
        answers=square(results.answers),
        tokens=square(results.tokens),
        sequential=square(results.sequential),
        opened=square(results.opened),
    )


def _explained(
    trace: Trace,
    program: Program,
    options: Sequence[Any],
    orders: NDArray[np.int32],
    question: int,
    order: int,
    mistake: str,
) -> str:
    """Where in its source the controller stands when it makes this mistake: the episode again, interpreted."""
    view, plan, books = furnish(trace, lists=True)
    data = tables(trace, orders, 0, lists=True)
    begin(view, plan, books, trace.branches)
    steps: Any = program(view, plan, *options)
    line = program.__code__.co_firstlineno
    for _ in steps:
        line = steps.gi_frame.f_lineno
        books.lowest[0] = 0  # look at every branch
        found = carry_out(view, plan, books, data, question * trace.branches, order * trace.branches)
        if found:
            mistake = MISTAKES[found]
            break
    place = program.__code__.co_filename
    return f"{place}, line {line}: the controller {mistake} (question {question}, order {order})"
