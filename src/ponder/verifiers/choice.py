"""Right if it is the right letter of a multiple choice."""

from __future__ import annotations

from ponder.answers.kinds import read
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.errors import InvalidProblem
from ponder.core.problem import Ask, Problem
from ponder.verifiers.stated import reference_of, stated

__all__ = ["Choice"]


class Choice:
    """Scores 1 if the answer (``B``, ``(b)``, ``B. Paris``) has the letter of the reference, else 0."""

    name = "choice"
    needs: frozenset[Capability] = frozenset()

    def check(self, problem: Problem) -> None:
        """See that there is a reference answer, and that it is a letter.

        Raises:
            InvalidProblem: there is none, or one that is no choice.
        """
        self._right(problem)

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """1 or 0.

        Raises:
            InvalidProblem: the problem has no reference answer, or one that is no choice.
        """
        right, answer = self._right(problem), stated(branch)
        return 0.0 if answer is None else float(read(answer).letter == right)

    def _right(self, problem: Problem) -> str:
        reference = reference_of(problem, self.name)
        right = read(reference).letter
        if not right:
            raise InvalidProblem(f"the choice verifier needs a letter as reference answer, not {reference!r:.60}")
        return right
