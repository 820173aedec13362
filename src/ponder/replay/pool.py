"""Recorded samples of one question as an environment: width without depth.

Sample i of the run is sample i of the pool, in the given order, so that several strategies, driven on one pool, see
the same samples: the comparison between them is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ponder.core.actions import Until
from ponder.core.branch import Branch
from ponder.core.errors import MissingCapability

__all__ = ["Pool", "Recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One complete sample: its answer (None abstains), its length in tokens, and optionally text and score.

    `score_tokens` is what asking the verifier cost.
    """

    answer: str | None
    tokens: int
    text: str = ""
    truncated: bool = False
    logprob: float | None = None
    score: float | None = None
    score_tokens: int = 0


class Pool:
    """An `Environment` over recorded samples.

    Raises:
        MissingCapability: a strategy asks for more samples than there are, or for what was not recorded.
    """

    def __init__(self, samples: Sequence[Recorded]) -> None:
        self._samples = samples
        self._assigned: dict[str, int] = {}

    def extend(self, branch: Branch, tokens: int | None, until: Until) -> Branch:
        """Along the recorded sample, which becomes the branch's on first use."""
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
        """Never: whole samples have no intermediate answers."""
        raise MissingCapability("these recorded samples have no probes; use a trace with depth")

    def score(self, branch: Branch) -> tuple[float, int]:
        """The recorded score."""
        sample = self._sample(branch)
        if sample.score is None:
            raise MissingCapability("these recorded samples have no verifier scores")
        return sample.score, sample.score_tokens

    def _sample(self, branch: Branch) -> Recorded:
        index = self._assigned.setdefault(branch.id, len(self._assigned))
        if index >= len(self._samples):
            raise MissingCapability(f"the pool has {len(self._samples)} samples; the strategy asks for more")
        return self._samples[index]
