"""A recorded trace in memory, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ponder.core.errors import TraceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_TOKENS", "RecordedBranch", "RecordedQuestion", "Trace", "build"]

MOST_TOKENS = 100_000_000
"""In one branch."""


@dataclass(frozen=True, slots=True)
class RecordedBranch:
    """One branch: its probe after each interval, its length in tokens, its final answer. None abstains."""

    probes: Sequence[str | None]
    length: int
    final: str | None


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """A question with its branches; without a `reference` no answer to it is right."""

    text: str
    reference: str | None
    branches: Sequence[RecordedBranch]


@dataclass(frozen=True, slots=True)
class Trace:
    """Q questions with B branches each, P probes in all.

    The answers of a question have ids 0, 1, ... in the order in which they appear when its branches are read one after
    another, each to its end; -1 abstains. The reference answer gets an id from the branches or none at all, so that no
    tie is ever broken by it.
    """

    name: str
    interval: int
    """Tokens between two probes."""
    branches: int
    """B"""
    questions: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    """[Q] The answers behind the ids."""
    references: NDArray[np.int32]
    """[Q] -2 if no branch gave the reference answer, or there is none."""
    probes: NDArray[np.int32]
    """[P]"""
    starts: NDArray[np.int64]
    """[Q * B] Where the probes of a branch begin."""
    counts: NDArray[np.int32]
    """[Q * B] How many it has."""
    lengths: NDArray[np.int32]
    """[Q * B] Tokens."""
    finals: NDArray[np.int32]
    """[Q * B]"""


def build(name: str, interval: int, questions: Sequence[RecordedQuestion]) -> Trace:
    """The trace of these questions.

    Raises:
        TraceError: what was recorded contradicts itself; the text names the question and the branch.
    """
    import numpy as np

    _check(name, interval, questions)
    ids: list[dict[str, int]] = []
    probes: list[int] = []
    starts, counts, lengths, finals = [], [], [], []
    for question in questions:
        seen: dict[str, int] = {}
        for branch in question.branches:
            starts.append(len(probes))
            probes += [_intern(seen, probe) for probe in branch.probes]
            counts.append(len(branch.probes))
            lengths.append(branch.length)
            finals.append(_intern(seen, branch.final))
        ids.append(seen)
    references = [
        -2 if question.reference is None else seen.get(question.reference, -2)
        for question, seen in zip(questions, ids, strict=True)
    ]
    return Trace(
        name=name,
        interval=interval,
        branches=len(questions[0].branches),
        questions=tuple(question.text for question in questions),
        answers=tuple(map(tuple, ids)),
        references=np.array(references, np.int32),
        probes=np.array(probes, np.int32),
        starts=np.array(starts, np.int64),
        counts=np.array(counts, np.int32),
        lengths=np.array(lengths, np.int32),
        finals=np.array(finals, np.int32),
    )


def _intern(seen: dict[str, int], answer: str | None) -> int:
    return -1 if answer is None else seen.setdefault(answer, len(seen))


def _check(name: str, interval: int, questions: Sequence[RecordedQuestion]) -> None:
    if not 1 <= interval <= MOST_TOKENS:
        raise TraceError(f"{name}: the interval of {interval} tokens must lie between 1 and {MOST_TOKENS:,}")
    if not questions:
        raise TraceError(f"{name}: has no questions")
    width = len(questions[0].branches)
    for q, question in enumerate(questions):
        if not question.branches:
            raise TraceError(f"{name}: question {q} has no branches")
        if len(question.branches) != width:
            raise TraceError(f"{name}: question {q} has {len(question.branches)} branches, question 0 has {width}")
        for b, branch in enumerate(question.branches):
            if not 0 <= branch.length <= MOST_TOKENS:
                raise TraceError(
                    f"{name}: question {q}, branch {b}: a length of {branch.length} tokens "
                    f"must lie between 0 and {MOST_TOKENS:,}"
                )
