"""A recorded trace in memory, in columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ponder.core.errors import TraceError
from ponder.replay.traces.about import MOST_TOKENS, About

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_TOKENS", "RecordedBranch", "RecordedQuestion", "Trace", "build", "flaw"]


@dataclass(frozen=True, slots=True)
class RecordedBranch:
    """One branch: its answer at each probe, its length in tokens, its final answer. None abstains.

    `probe_tokens` is how long it was at each probe, None if that is a multiple of the interval; `probe_costs` how many
    tokens each probe generated, None if nobody counted. `finish` says whether the model or a limit ended it.
    `logprob` is the mean log-probability of its tokens, `score` what a verifier gave.
    """

    probes: Sequence[str | None]
    length: int
    final: str | None
    probe_tokens: Sequence[int] | None = None
    probe_costs: Sequence[int] | None = None
    finish: Literal["stop", "length"] = "stop"
    text: str | None = None
    logprob: float | None = None
    score: float | None = None


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
    """Tokens between two probes; without probes those of the longest branch."""
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
    probe_tokens: NDArray[np.int32] | None = None
    """[P] How many tokens the branch had at a probe; None if all are multiples of the interval."""
    probe_costs: NDArray[np.int32] | None = None
    """[P] Tokens that a probe generated; None if not recorded for all."""
    truncated: NDArray[np.bool_] | None = None
    """[Q * B] True where a limit ended the branch; None if nowhere."""
    logprobs: NDArray[np.float64] | None = None
    """[Q * B] Mean log-probability, NaN where it was not recorded; None if nowhere."""
    scores: NDArray[np.float64] | None = None
    """[Q * B] What a verifier gave, NaN where nothing was recorded; None if nowhere."""
    about: About | None = None

    def first(self, questions: int) -> Trace:
        """The same with its first few questions."""
        if questions >= len(self.questions):
            return self
        branches = questions * self.branches
        by_branch = ("starts", "counts", "lengths", "finals", "truncated", "logprobs", "scores")
        columns: dict[str, Any] = {name: getattr(self, name) for name in by_branch}
        shorter: dict[str, Any] = {
            name: None if column is None else column[:branches] for name, column in columns.items()
        }
        return replace(
            self,
            questions=self.questions[:questions],
            answers=self.answers[:questions],
            references=self.references[:questions],
            **shorter,
        )


def build(
    name: str, interval: int | None, questions: Sequence[RecordedQuestion], *, about: About | None = None
) -> Trace:
    """The trace of these questions; without an `interval` they have no probes.

    Raises:
        TraceError: what was recorded contradicts itself; the text names the question and the branch.
    """
    import numpy as np

    _check(name, interval, questions)
    branches = [branch for question in questions for branch in question.branches]
    interval = interval or max(1, *(branch.length for branch in branches))
    ids: list[dict[str, int]] = []
    probes: list[int] = []
    starts, counts, finals = [], [], []
    for question in questions:
        seen: dict[str, int] = {}
        for branch in question.branches:
            starts.append(len(probes))
            probes += [_intern(seen, probe) for probe in branch.probes]
            counts.append(len(branch.probes))
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
        lengths=np.array([branch.length for branch in branches], np.int32),
        finals=np.array(finals, np.int32),
        probe_tokens=_probe_tokens(branches, interval),
        probe_costs=_probe_costs(branches),
        truncated=_truncated(branches),
        logprobs=_reals([branch.logprob for branch in branches]),
        scores=_reals([branch.score for branch in branches]),
        about=about,
    )


def _intern(seen: dict[str, int], answer: str | None) -> int:
    return -1 if answer is None else seen.setdefault(answer, len(seen))


def _probe_tokens(branches: Sequence[RecordedBranch], interval: int) -> NDArray[np.int32] | None:
    import numpy as np

    regular = [list(range(interval, interval * len(branch.probes) + 1, interval)) for branch in branches]
    said = [list(branch.probe_tokens or multiples) for branch, multiples in zip(branches, regular, strict=True)]
    if said == regular:
        return None
    return np.array([tokens for branch in said for tokens in branch], np.int32)


def _probe_costs(branches: Sequence[RecordedBranch]) -> NDArray[np.int32] | None:
    import numpy as np

    if not any(branch.probes for branch in branches) or any(branch.probe_costs is None for branch in branches):
        return None
    return np.array([cost for branch in branches for cost in branch.probe_costs or ()], np.int32)


def _truncated(branches: Sequence[RecordedBranch]) -> NDArray[np.bool_] | None:
    import numpy as np

    found = np.array([branch.finish == "length" for branch in branches])
    return found if found.any() else None


def _reals(values: Sequence[float | None]) -> NDArray[np.float64] | None:
    import numpy as np

    if all(value is None for value in values):
        return None
    return np.array([np.nan if value is None else value for value in values])


def _check(name: str, interval: int | None, questions: Sequence[RecordedQuestion]) -> None:
    if interval is not None and not 1 <= interval <= MOST_TOKENS:
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
            if wrong := flaw(interval, branch):
                raise TraceError(f"{name}: question {q}, branch {b}: {wrong}")


def flaw(interval: int | None, branch: RecordedBranch) -> str | None:
    """Why there cannot be such a branch in a trace with this interval; None if there can."""
    return next(_flaws(interval, branch), None)


def _flaws(interval: int | None, branch: RecordedBranch) -> Iterator[str]:
    count = len(branch.probes)
    if not 0 <= branch.length <= MOST_TOKENS:
        yield f"a length of {branch.length} tokens must lie between 0 and {MOST_TOKENS:,}"
    if count and interval is None:
        yield "has probes, but the trace has no interval"
    if interval is not None and count * interval > MOST_TOKENS:
        yield f"{count:,} probes every {interval} tokens are more than {MOST_TOKENS:,} tokens"
    for name, values in (("token counts", branch.probe_tokens), ("costs", branch.probe_costs)):
        if values is not None and len(values) != count:
            yield f"has {count} probes and {len(values)} {name} for them"
        if values is not None and any(not 0 <= value <= MOST_TOKENS for value in values):
            yield f"its probes have {name} that do not lie between 0 and {MOST_TOKENS:,}"
    tokens = [0, *(branch.probe_tokens or ())]
    if any(after <= before for before, after in itertools.pairwise(tokens)):
        yield "each probe must come after more tokens than the one before"
    if interval is not None and any(after - before > interval for before, after in itertools.pairwise(tokens)):
        yield f"its probes are more than the interval of {interval} tokens apart"
