"""What is asked, and what scores an answer to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ponder.core.backend import Capability, Message, Request
from ponder.core.bill import MAIN
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.errors import InvalidProblem, VerifierError

__all__ = [
    "INSTRUCTION",
    "MAX_QUESTION_BYTES",
    "Ask",
    "Problem",
    "Reads",
    "Selective",
    "Verifier",
    "beyond_text",
    "checked_score",
    "reads_of",
]


MAX_QUESTION_BYTES = 1_000_000
"""A question larger than this is refused: no context window of today holds it."""

INSTRUCTION = 'Think step by step. Then write "Answer:" followed by the final answer alone, as the last line.'
"""Appended to a plain question, so that its answer can be found; messages given as such are left alone.

Of the forms that were asked of all embedded models the one that the larger two follow most often, and that none copies
(`benchmarks/instruction_forms.py`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A question to a model.

    `reference` is the right answer where one is known; only verifiers and benchmarks look at it, strategies never.
    """

    messages: tuple[Message, ...]
    id: str = ""
    reference: str | None = None
    verifier: Verifier | None = None

    @property
    def question(self) -> str:
        """The text of the last user message."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return _text(message.get("content"))
        return ""

    @classmethod
    def of(
        cls,
        question: str | bytes | list[Message] | tuple[Message, ...],
        *,
        instruction: str = INSTRUCTION,
        id: str = "",
        reference: str | None = None,
        verifier: Verifier | None = None,
    ) -> Problem:
        """Build a problem from a question or from chat messages.

        Raises:
            InvalidProblem: empty, over `MAX_QUESTION_BYTES`, not UTF-8, or messages without role and content.
        """
        messages = _from_text(question, instruction) if isinstance(question, str | bytes) else _from_messages(question)
        return cls(messages=messages, id=id, reference=reference, verifier=verifier)


def beyond_text(messages: Iterable[Message]) -> str | None:
    """The type of the first part that is no text (``"image_url"``), None if all of it is text."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            known = part if isinstance(part, Mapping) else {}
            if not isinstance(known.get("text"), str):
                return str(known.get("type", "unknown"))
    return None


def _from_text(question: str | bytes, instruction: str) -> tuple[Message, ...]:
    if isinstance(question, bytes):
        try:
            question = question.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidProblem(
                f"the question is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
            ) from None
    try:
        size = len(question.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidProblem(f"the question is not UTF-8 text: character {error.start} is a lone surrogate") from None
    if size > MAX_QUESTION_BYTES:
        raise InvalidProblem(f"the question has {size:,} bytes; the limit is {MAX_QUESTION_BYTES:,}")
    if not question.strip():
        raise InvalidProblem("the question is empty")
    content = f"{question.strip()}\n\n{instruction}" if instruction else question.strip()
    return ({"role": "user", "content": content},)


def _from_messages(messages: list[Message] | tuple[Message, ...]) -> tuple[Message, ...]:
    if not messages:
        raise InvalidProblem("the list of messages is empty")
    for position, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None  # a caller without types may pass anything
        if not isinstance(role, str):
            raise InvalidProblem(f"message {position} has no role: {message!r:.80}")
    if not any(_text(message.get("content")).strip() for message in messages):
        raise InvalidProblem("the messages have no text; images alone are no question, put it beside them")
    return tuple(messages)


def _text(content: object) -> str:
    """The text of a message whose content is a string or a list of typed parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


Reads = Literal["answer", "reply", "prefix"]


class Ask(Protocol):
    """How a verifier calls the model: like a backend, but booked as verification."""

    async def __call__(self, request: Request, model: str = MAIN) -> Completion:
        """The reply to `request`, of the run's model with the role `model`."""
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
