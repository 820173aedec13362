"""Right if it is the reference answer to the letter."""

from __future__ import annotations

from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.problem import Ask, Problem
from ponder.verifiers.stated import reference_of, stated

__all__ = ["Exact"]


class Exact:
    """Scores 1 if the answer is the reference character by character, outer spaces aside, else 0."""

    name = "exact"
    needs: frozenset[Capability] = frozenset()

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
        reference, answer = reference_of(problem, self.name), stated(branch)
        return 0.0 if answer is None else float(answer.strip() == reference.strip())
