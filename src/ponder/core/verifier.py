"""What scores an answer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ponder.core.backend import Capability, Completion, Request
from ponder.core.branch import Branch
from ponder.core.problem import Problem

__all__ = ["Ask", "Selective", "Verifier"]


class Ask(Protocol):
    """How a verifier calls the model: like a backend, but booked as verification."""

    async def __call__(self, request: Request) -> Completion:
        """The reply to `request`."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Scores a finished branch in [0, 1].

    `needs` names what the model must be able to do for this verifier; most need nothing.
    """

    name: str
    needs: frozenset[Capability]

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """How likely the branch's answer is right, 0 to 1.

        Raises:
            UsageError: the problem has no reference and this verifier cannot do without.
        """
        ...


@runtime_checkable
class Selective(Protocol):
    """A verifier that cannot score the answers to every problem."""

    def check(self, problem: Problem) -> None:
        """See that it can; it is asked before anything is sent.

        Raises:
            UsageError: it cannot.
        """
        ...
