"""What a run looks like at this moment: the engine's state, and the text that streams in before it is booked."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from ponder.answers.extract import extract
from ponder.core.bill import Bill
from ponder.core.branch import Branch
from ponder.engine.live.driver import Live

__all__ = ["Picture", "Row", "word_for"]

QUIET = 2.0
"""Seconds without a new token after which a sample in a batch is taken to be finished: only the batch ends as one."""

_WORDS = {
    "stop": "done",
    "length": "too long",
    "content_filter": "filtered",
    "pruned": "cut",
    "failed": "failed",
    "budget": "budget",
}


def word_for(branch: Branch) -> str:
    """How a branch ended, in a word or two."""
    return _WORDS[branch.ending] if branch.ending else "open"


@dataclass(frozen=True, slots=True)
class Row:
    """One branch as it is shown. `answer` is provisional until the run has compared the answers."""

    id: str
    tokens: int
    state: str
    answer: str | None
    text: str
    live: bool


@dataclass(frozen=True, slots=True)
class _Stream:
    """The running call of a branch; `base` is what the branch had when the call began."""

    base: int
    text: str
    tokens: int
    at: float


class Picture:
    """Collects what a display needs. `watch` and `take` belong to the run's event loop."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._streams: dict[str, _Stream] = {}
        self._answers: dict[str, tuple[int, str | None]] = {}
        self._grown = 0.0

    def watch(self, branch: str, text: str, tokens: int) -> None:
        """Hear of streamed text."""
        known = self._live.state.branches.get(branch)
        self._grown = time.monotonic()
        self._streams[branch] = _Stream(known.tokens if known else 0, text, tokens, self._grown)

    @property
    def bill(self) -> Bill:
        """What is booked."""
        return self._live.state.bill

    @property
    def seconds(self) -> float:
        """How long the run has lived."""
        return self._live.clock()

    @property
    def total_tokens(self) -> int:
        """Tokens generated, those of the calls under way included."""
        return self.bill.total_tokens + sum(stream.tokens for _, stream in self._running())

    def rows(self) -> list[Row]:
        """Every branch, in the order in which they were opened."""
        running = {branch.id: stream for branch, stream in self._running()}
        return [self._row(branch, running.get(branch.id)) for branch in self._live.state.branches.values()]

    def _running(self) -> Iterable[tuple[Branch, _Stream]]:
        for branch in self._live.state.branches.values():
            stream = self._streams.get(branch.id)
            if stream is not None and branch.live and stream.base == branch.tokens:
                yield branch, stream

    def _row(self, branch: Branch, stream: _Stream | None) -> Row:
        tokens, text = branch.tokens, branch.text
        state = word_for(branch) if branch.ending else "open" if tokens else "waiting"
        finished = branch.ending == "stop"
        if stream is not None:
            tokens, text, state = tokens + stream.tokens, text + stream.text, "running"
            finished = self._grown - stream.at > QUIET
        answer = branch.answer or (self._extracted(branch.id, text) if finished else None)
        return Row(branch.id, tokens, state, answer, branch.error or text, branch.live)

    def _extracted(self, branch: str, text: str) -> str | None:
        size, answer = self._answers.get(branch, (-1, None))
        if size != len(text):
            answer = extract(text)
            self._answers[branch] = (len(text), answer)
        return answer
