"""A completion put together from the runtime's chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponder.backends.thinking import ThinkingStream, closes, split_thinking
from ponder.core.backend import Progress
from ponder.core.completion import Choice, Finish

__all__ = ["Line"]

_CLOSE = "</think>"


class Line:
    """One choice in the making; keeps its part of `progress` current.

    `inside` says that the prompt ends within a reasoning block, `boundaries` are the texts at which it may stop to be
    continued.
    """

    def __init__(self, index: int, progress: Progress, inside: bool, boundaries: Sequence[str]) -> None:
        self.finished = False
        self._index = index
        self._progress = progress
        self._inside = inside
        self._boundaries = boundaries
        self._thinking = ThinkingStream(inside)
        self._pieces: list[tuple[str, int]] = []
        self._tokens = 0
        self._finish: Finish = "length"
        self._logprobs: list[float] = []
        self._first: dict[str, float] = {}
        self._withheld: list[int] = []

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Take over a chunk. `predicted_n` counts every token, also those whose text waits for the next one."""
        choice = chunk["choices"][0]
        tokens = chunk["timings"]["predicted_n"]
        text, verbose = choice["text"], chunk.get("__verbose", {})
        self._withheld = [] if text else [*self._withheld, *verbose.get("tokens", ())]
        if text or tokens > self._tokens:
            self._pieces.append((text, tokens))
            self._show(*self._thinking.feed(text), tokens - self._tokens)
            self._tokens = tokens
        for entry in (choice["logprobs"] or {}).get("content", ()):
            self._first = self._first or _alternatives(entry["top_logprobs"])
            self._logprobs.append(entry["logprob"])
        if choice["finish_reason"] is not None:
            self._end(choice["finish_reason"], verbose.get("stopping_word"))

    def _end(self, reason: str, stopped_by: str | None) -> None:
        self.finished = True
        if reason != "length":
            self._finish = "boundary" if stopped_by in self._boundaries else "stop"
        held = self._thinking.close()
        if held or self._index >= len(self._progress.texts):
            self._show(False, held, 0)

    @property
    def withheld(self) -> Sequence[int]:
        """Tokens whose text was held back, as the beginning of a stop string, when `max_tokens` ended the choice."""
        return self._withheld if self._finish == "length" else ()

    def add(self, text: str) -> None:
        """The text of the tokens that were `withheld`."""
        self._pieces.append((text, self._tokens))
        self._show(*self._thinking.feed(text), 0)
        self._show(False, self._thinking.close(), 0)

    def _show(self, retract: bool, visible: str, tokens: int) -> None:
        progress = self._progress
        if retract and self._index < len(progress.texts):
            progress.texts[self._index] = ""
        progress.grow(self._index, visible, tokens)

    def choice(self) -> Choice:
        """What has come so far."""
        raw = "".join(text for text, _ in self._pieces)
        thinking, visible = split_thinking(raw, self._inside)
        return Choice(
            text=visible,
            tokens=self._tokens,
            finish=self._finish,
            thinking=thinking,
            thinking_tokens=_tokens_of_thinking(self._pieces, raw) if thinking else 0,
            logprob=sum(self._logprobs) / len(self._logprobs) if self._logprobs else None,
            first=self._first,
            thinking_closed=closes(raw) and not visible,
        )


def _alternatives(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Token texts to log-probabilities, the likeliest first; of tokens that read alike the likeliest counts."""
    found: dict[str, float] = {}
    for entry in entries:
        found.setdefault(entry["token"], entry["logprob"])
    return found


def _tokens_of_thinking(pieces: Sequence[tuple[str, int]], raw: str) -> int:
    """The tokens up to the end of the closing tag; all of them if it never came."""
    end = raw.find(_CLOSE) + len(_CLOSE) if _CLOSE in raw else len(raw)
    length = 0
    for text, tokens in pieces:
        length += len(text)
        if length >= end:
            return tokens
    return pieces[-1][1]
