"""Recorded branches of one question as an environment for strategies.

Branch i of the run is branch i of the pool, in the given order, so that several strategies, driven on one pool, see
the same branches: the comparison between them is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ponder.core.actions import Chat, Until
from ponder.core.branch import Branch
from ponder.core.completion import Reply
from ponder.core.errors import MissingCapability, TooFewBranches
from ponder.core.problem import Reads
from ponder.engine.steps import STEP

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

    reads: Reads = "answer"

    def __init__(self, samples: Sequence[Recorded]) -> None:
        self._samples = samples
        self._assigned: dict[str, int] = {}

    def extend(self, branch: Branch, tokens: int | None, until: Until) -> Branch:
        """Along the recorded branch, which becomes the run's on first use.

        Where a step ends is seen in the recorded text; its tokens are taken to be spread evenly over it.
        """
        sample = self._sample(branch)
        left = sample.tokens - branch.tokens
        wanted = left if tokens is None else tokens
        if until == "step":
            ends = _end_of_step(sample, len(branch.text))
            takes = max(1, -(-ends * sample.tokens // len(sample.text)) - branch.tokens)
            if ends < len(sample.text) and takes <= wanted and takes < left:
                return replace(branch, text=sample.text[:ends], tokens=branch.tokens + takes)
        if wanted < left:
            reached = branch.tokens + wanted
            shown = max(len(branch.text), reached * len(sample.text) // sample.tokens)
            return replace(branch, text=sample.text[:shown], tokens=reached)
        return replace(
            branch,
            text=sample.text,
            tokens=sample.tokens,
            ending="length" if sample.truncated else "stop",
            answer=None if sample.truncated else sample.answer,
            raw_answer=sample.answer,
            logprob=sample.logprob,
        )

    def append(self, branch: Branch, text: str) -> None:
        """Refused: nothing was recorded of how a branch goes on behind a text of the strategy's own."""
        raise MissingCapability("there is no record of branches with appended text")

    def chat(self, asked: Chat) -> Sequence[Reply]:
        """Refused: a recording holds branches of the problem only."""
        raise MissingCapability("there is no record of chat to replay")

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

    def score(self, branch: Branch) -> tuple[float | None, int]:
        """The recorded score; None where there is none of this branch."""
        sample = self._sample(branch)
        if all(one.score is None for one in self._samples):
            raise MissingCapability("these recorded branches have no verifier scores")
        return sample.score, sample.score_tokens

    def _sample(self, branch: Branch) -> Recorded:
        if branch.parent is not None:
            raise MissingCapability("there is no record of forks to replay")
        if branch.messages is not None:
            raise MissingCapability("there is no record of branches from prompts of the strategy's own")
        index = self._assigned.setdefault(branch.id, len(self._assigned))
        if index >= len(self._samples):
            raise TooFewBranches(f"the record has {len(self._samples)} branches; the strategy asks for more")
        return self._samples[index]


def _end_of_step(sample: Recorded, start: int) -> int:
    """Where in the recorded text the step ends that is under way at `start`; the end of the text if it is the last."""
    text = sample.text
    if not text:
        raise MissingCapability("there is no record of where a step ends: the text of these branches is not there")
    begins = len(text) - len(text[start:].lstrip())  # leading blank lines are no step
    end = text.find(STEP, begins)
    return len(text) if end < 0 or not text[end:].strip() else end + len(STEP)
