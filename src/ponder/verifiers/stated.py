"""What a verifier looks at."""

from __future__ import annotations

from ponder.core.branch import Branch
from ponder.core.errors import InvalidProblem
from ponder.core.problem import Problem

__all__ = ["reference_of", "stated"]


def stated(branch: Branch) -> str | None:
    """The answer as this branch put it; None if it gave none.

    `Branch.answer` stands for all answers equal to it, so it says nothing about spelling.
    """
    if branch.answer is None:
        return None
    return branch.answer if branch.raw_answer is None else branch.raw_answer


def reference_of(problem: Problem, verifier: str) -> str:
    """The problem's reference answer.

    Raises:
        InvalidProblem: it has none.
    """
    if problem.reference is None:
        which = f"problem {problem.id!r}" if problem.id else "the problem"
        raise InvalidProblem(f"the {verifier} verifier compares with a reference answer, and {which} has none")
    return problem.reference
