"""Right if it matches a pattern."""

from __future__ import annotations

import re
import warnings

from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.errors import InvalidOption
from ponder.core.problem import Ask, Problem
from ponder.verifiers.stated import stated
from ponder.workers.pool import Undecided, Workers, shared_workers

__all__ = ["Regex"]


class Regex:
    """Scores 1 if `pattern` is found in the answer, else 0; anchor it with ``^...$`` to match all of it.

    Patterns are those of Python's `re`. The search runs in a process that is killed at its time limit, so a pattern
    that backtracks without end cannot hang the run; it then scores 0.
    """

    needs: frozenset[Capability] = frozenset()

    def __init__(self, pattern: str, workers: Workers | None = None) -> None:
        self.name = f"regex:{pattern}"
        self._pattern, self._workers = pattern, workers or shared_workers()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise InvalidOption(f"regex verifier: {pattern!r:.80} is not a pattern: {error}") from None

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """1 or 0."""
        answer = stated(branch)
        if answer is None:
            return 0.0
        try:
            return float(await self._workers.run("search", self._pattern, answer))
        except Undecided:
            return 0.0
