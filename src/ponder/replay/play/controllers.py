"""How a controller would have done on a recorded trace."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ponder.core.budget import Budget
from ponder.core.errors import PonderWarning, StrategyError, TooFewBranches
from ponder.core.methods.controller import Program
from ponder.core.methods.plane import TOO_MANY
from ponder.replay.plane.arrays import outcomes
from ponder.replay.plane.tables import Outcomes
from ponder.replay.play.conditions import check_cost, orders_of, tokens_of
from ponder.replay.play.episodes import Episodes, Part
from ponder.replay.play.outcome import Replayed
from ponder.replay.traces.trace import Trace
from ponder.replay.untrusted.compile import Uncompilable

__all__ = ["Replayed", "replay"]

TRIAL = 4
"""Questions on which a person's program is tried as plain Python, under one order, before it is compiled."""

FEW = 2_000_000
"""Of `Episodes.work`, about what plain Python does in the time in which a program is compiled."""

PART = 2000
"""Episodes after which a player listens to Ctrl-C."""

SHARES = 8
"""Parts for each thread, if there are several."""


def replay(
    trace: Trace,
    program: Program,
    options: Sequence[Any] = (),
    *,
    orders: int = 100,
    seed_order: str = "python",
    probe_cost: int = 0,
    budget: Budget | None = None,
    interpreted: bool | None = None,
    threads: int = 1,
) -> Replayed:
    """Play `program` with these options on every question of a trace, under so many orders of its branches.

    The orders are those of `ponder.replay.play.conditions`, `probe_cost` is in tokens a probe, `budget` holds for each
    episode; `threads` may be 0, for all cores. `interpreted` is True for plain Python, False for compiled code, None
    for plain Python as long as that is quicker than to compile. What Numba cannot compile runs as plain Python, with a
    `PonderWarning`.

    Raises:
        InvalidOption: no orders, or too many; a probe that costs more than an interval; a budget not of tokens.
        TooFewBranches: a shipped controller is told to open more branches than there are.
        StrategyError: the controller does what cannot be done; the text names the line.
    """
    episodes = Episodes(
        trace,
        program,
        tuple(options),
        orders_of(seed_order, trace.branches, orders),
        check_cost(trace, probe_cost),
        tokens_of(budget),
    )
    results = outcomes(len(trace.questions) * orders)
    if interpreted is None:
        interpreted = _few(episodes)
    compiled = None if interpreted else _compiled(episodes)
    # Plain Python gains nothing from threads, and they would share what it keeps of an episode.
    _play(episodes, compiled or episodes.plainly(), results, threads if compiled else 1)
    return _shaped(results, len(trace.questions), orders)


def _few(episodes: Episodes) -> bool:
    """True until more has been played of a program than it takes to compile it: at most twice the time of the best."""
    _played[episodes.program] = done = _played.get(episodes.program, 0) + episodes.work
    return done <= FEW


_played: dict[Any, int] = {}
"""Work that has come, for each program."""


def _compiled(episodes: Episodes) -> Part | None:
    """Compiled if Numba can, and if it comes to the same on a trial; else None, with a warning."""
    if episodes.trusted:
        return episodes.compiled()
    key = (episodes.program, tuple(map(type, episodes.options)))
    if key not in _tried:
        _tried[key] = _try(episodes)
    if not _tried[key]:
        return episodes.compiled()
    warnings.warn(f"{_tried[key]}; it is played as plain Python, which is slow", PonderWarning, stacklevel=3)
    return None


_tried: dict[Any, str] = {}
"""Why a person's program does not run compiled, with options of these types; nothing if it does."""


def _try(episodes: Episodes) -> str:
    """The first questions under one order, both ways; plain Python comes first, because it has the better words."""
    import numpy as np

    trial = replace(episodes, orders=episodes.orders[:1])
    questions = min(TRIAL, len(episodes.trace.questions))
    expected: Any
    obtained: Any
    expected, obtained = outcomes(questions), outcomes(questions)
    _play(trial, trial.plainly(), expected, 1, questions)
    try:
        trial.compiled()((0, questions), obtained)
    except Uncompilable as reason:
        return str(reason)
    same = all(map(np.array_equal, expected, obtained))
    return "" if same else f"{episodes.program.__code__.co_filename}: comes to other figures when it is compiled"


def _play(episodes: Episodes, part: Part, results: Outcomes, threads: int, questions: int | None = None) -> None:
    """All questions, or the first few, into `results`.

    Raises:
        StrategyError: the first mistake, explained.
        TooFewBranches: what is shipped was told to open more branches than there are.
    """
    last, threads = questions or len(episodes.trace.questions), threads or os.cpu_count() or 1
    step = max(1, PART // len(episodes.orders))
    if threads > 1:  # hard questions take longer, so each thread gets several parts
        step = min(step, -(-last // (SHARES * threads)))
    edges = [(first, min(first + step, last)) for first in range(0, last, step)]
    for mistake, question, order in _in_parts(part, edges, results, threads):
        if mistake == TOO_MANY and episodes.trusted:  # so it was told to
            name = episodes.program.__name__.replace("_", "-")
            raise TooFewBranches(
                f"{name} opens more branches than the {episodes.trace.branches} that the trace has of a question; "
                "give it fewer"
            )
        if mistake:
            raise StrategyError(episodes.explained(mistake, question, order))


def _in_parts(
    part: Part, edges: list[tuple[int, int]], results: Outcomes, threads: int
) -> Iterator[tuple[int, int, int]]:
    if min(threads, len(edges)) == 1:
        yield from (part(questions, results) for questions in edges)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(lambda questions: part(questions, results), edges)
    finally:
        pool.shutdown(cancel_futures=True)


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
