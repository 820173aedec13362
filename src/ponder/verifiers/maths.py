"""Right if it equals the reference answer as a value."""

from __future__ import annotations

from ponder.answers.equivalence import Equivalence
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.problem import Ask, Problem
from ponder.verifiers.stated import reference_of

__all__ = ["Math"]


class Math:
    r"""Scores 1 if the answer means the same as the reference (``0.5`` and ``\frac12``), else 0."""

    name = "math"
    needs: frozenset[Capability] = frozenset()

    def __init__(self, equivalence: Equivalence | None = None) -> None:
        self._equivalence = equivalence or Equivalence()

    def check(self, problem: Problem) -> None:
        """See that there is a reference answer.

        Raises:
            InvalidProblem: there is none.
        """
        reference_of(problem, self.name)

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """1 or 0.

        Raises:
            InvalidProblem: the problem has no reference answer.
        """
        reference = reference_of(problem, self.name)
        return 0.0 if branch.answer is None else float(await self._equivalence.same(branch.answer, reference))
