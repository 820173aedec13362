"""Recorded branches of one question as an environment for strategies.

Branch i of the run is branch i of the pool, in the given order, so that several strategies, driven on one pool, see
the same branches: the comparison between them is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ponder.core.actions import Until
from ponder.core.branch import Branch
from ponder.core.errors import MissingCapability, TooFewBranches

__all__ = ["Pool", "Recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One complete branch: its answer (None abstains), its length in tokens, and optionally text, score and probes.

    `score_tokens` is what asking the verifier cost. `probes` maps a length in tokens to what the branch would have
    answered there, and to the tokens that asking cost.
    """

    answer: str | None
    tokens: int
    text: str = ""
    truncated: bool = False
    logprob: float | None = None
    score: float | None = None
    score_tokens: int = 0
    probes: Mapping[int, tuple[str | None, int]] = field(default_factory=dict)


class Pool:
    """An `Environment` over recorded branches.

    Raises:
        MissingCapability: a strategy asks for what was not recorded.
        TooFewBranches: it asks for more branches than there are.
    """

    def __init__(self, samples: Sequence[Recorded]) -> None:
        self._samples = samples
        self._assigned: dict[str, int] = {}

    def extend(self, branch: Branch, tokens: int | None, until: Until) -> Branch:
        """Along the recorded branch, which becomes the run's on first use."""
        if until != "end":
            raise MissingCapability(f"there is no record of where a {until} ends")
        sample = self._sample(branch)
        left = sample.tokens - branch.tokens
        if tokens is not None and tokens < left:
            return replace(branch, tokens=branch.tokens + tokens)
        return replace(
            branch,
            text=sample.text,
            tokens=sample.tokens,
            ending="length" if sample.truncated else "stop",
            answer=None if sample.truncated else sample.answer,
            raw_answer=sample.answer,
            logprob=sample.logprob,
        )

    def probe(self, branch: Branch) -> tuple[str | None, int]:
        """The recorded probe at the branch's length, which must be one of those at which it was probed."""
        sample = self._sample(branch)
        if not sample.probes:
            raise MissingCapability("these recorded branches have no probes; use a trace with depth")
        if branch.tokens not in sample.probes:
            near = min(sample.probes, key=lambda tokens: abs(tokens - branch.tokens))
            raise MissingCapability(
                f"there is no record of a probe at {branch.tokens} tokens of a branch; the nearest one is at {near}"
            )
        return sample.probes[branch.tokens]

    def score(self, branch: Branch) -> tuple[float, int]:
        """The recorded score."""
        sample = self._sample(branch)
        if sample.score is None:
            raise MissingCapability("these recorded branches have no verifier scores")
        return sample.score, sample.score_tokens

    def _sample(self, branch: Branch) -> Recorded:
        if branch.parent is not None:
            raise MissingCapability("there is no record of forks to replay")
        index = self._assigned.setdefault(branch.id, len(self._assigned))
        if index >= len(self._samples):
            raise TooFewBranches(f"the record has {len(self._samples)} branches; the strategy asks for more")
        return self._samples[index]
