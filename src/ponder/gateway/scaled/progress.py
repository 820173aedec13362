"""What a run that takes its time has to say meanwhile."""

from __future__ import annotations

import asyncio

from ponder.answers.extract import extract_stated
from ponder.answers.long import is_long
from ponder.engine.live.driver import Live

__all__ = ["Progress"]

_SHOWN = 60


class Progress:
    """Listens to the text of branches as it grows, and puts what is new into a few words.

    Votes so far are provisional: answers are compared as they are spelled, and a branch may still change its mind.
    """

    def __init__(self) -> None:
        self.grown = asyncio.Event()
        self.text = ""
        self._texts: dict[str, str] = {}
        self._tokens: dict[str, int] = {}
        self._said = ""

    def watch(self, branch: str, text: str, tokens: int) -> None:
        """A branch has grown: the whole text of its latest stretch, and its tokens."""
        self._texts[branch], self._tokens[branch] = text, tokens
        self.text = text
        self.grown.set()

    def news(self, live: Live) -> str:
        """Where the run stands, as a line; empty if that has not changed since the last time."""
        branches = live.state.branches
        ended = sum(not branch.live for branch in branches.values())
        tokens = sum(max(self._tokens.get(name, 0), branch.tokens) for name, branch in branches.items())
        line = f"{len(branches)} branches, {ended} ended, {tokens} tokens"
        votes: dict[str, int] = {}
        for name, branch in branches.items():
            answer = branch.answer if branch.raw_answer else _stated(self._texts.get(name, branch.text))
            if answer is not None:
                votes[answer] = votes.get(answer, 0) + 1
        if votes:
            leader = max(votes, key=lambda answer: votes[answer])
            shown = ", ".join(f"{_short(answer)} ×{count}" for answer, count in sorted(votes.items(), key=_most)[:4])
            confidence = votes[leader] / max(1, len(branches))
            line += f"; votes so far: {shown}; provisional answer {_short(leader)} (confidence {confidence:.2f})"
        if line == self._said:
            return ""
        self._said = line
        return line + "\n"


def _stated(text: str) -> str | None:
    """The answer of a text that still grows; a long one is read when it has ended, outside the event loop."""
    return None if is_long(text) else extract_stated(text)


def _most(vote: tuple[str, int]) -> int:
    return -vote[1]


def _short(answer: str) -> str:
    line = " ".join(answer.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
