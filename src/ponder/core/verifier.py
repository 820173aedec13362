"""What scores an answer."""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol, runtime_checkable

from ponder.core.backend import Capability, Completion, Request
from ponder.core.branch import Branch
from ponder.core.errors import VerifierError
from ponder.core.problem import Problem

__all__ = ["Ask", "Reads", "Selective", "Verifier", "checked_score", "reads_of"]

Reads = Literal["answer", "reply", "prefix"]


class Ask(Protocol):
    """How a verifier calls the model: like a backend, but booked as verification."""

    async def __call__(self, request: Request) -> Completion:
        """The reply to `request`."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Scores a branch.

    A score is the probability that the answer is right, in [0, 1]; or, of a reward model, any finite number: the more
    the better, and no probability. Where one of a run's scores is outside of [0, 1], all are taken for rewards. A
    verifier that raises, or gives something else, costs the branch its score; one that does so for every branch has
    failed, and the run ends with what there is.

    `needs` names what the model must be able to do for this verifier; most need nothing. A verifier that scores more
    than final answers says so in an attribute `reads`, see `reads_of`.
    """

    name: str
    needs: frozenset[Capability]

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """How likely the branch's answer is right, 0 to 1; or its reward.

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


def reads_of(verifier: Verifier) -> Reads:
    """What a verifier can score, its attribute `reads`: "answer" where it has none.

    "answer": branches that have ended with an answer; others score 0. "reply": whatever has ended, code and free text
    as well. "prefix": a reply that is still under way, too, as a process reward model does.
    """
    reads: Reads = getattr(verifier, "reads", "answer")
    return reads


def checked_score(name: str, value: Any) -> float:
    """What the verifier `name` gave, if it is a score.

    Raises:
        VerifierError: it is no finite number.
    """
    try:
        number = float(value) if not isinstance(value, str | bytes) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise VerifierError(
            f"verifier {name} gave {value!r:.80}; a score is a number between 0 and 1, or a finite reward"
        ) from None
    return number
