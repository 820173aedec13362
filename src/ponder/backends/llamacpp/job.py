"""One completion under way: pieces come in on the runtime's thread and are read on the event loop."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ponder.core.backend import Progress
from ponder.core.errors import BackendError, BrokenReply, Rejected

__all__ = ["Draft", "Job"]


@dataclass(slots=True)
class Draft:
    """One choice as far as it has come."""

    text: str = ""
    tokens: int = 0
    finish: str | None = None
    stopped_by_word: bool = False
    logprobs: list[float] = field(default_factory=list)
    first: dict[str, float] | None = None


class Job:
    """Receives what the runtime streams.

    `receive` runs on the runtime's thread; it only files the piece and wakes the loop, at most once for all pieces
    that are waiting. Everything else happens on the loop, in `read`.
    """

    def __init__(self, n: int, progress: Progress, offset: int) -> None:
        self.drafts = [Draft() for _ in range(n)]
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.error: BackendError | None = None
        self.cancelled = False
        self._progress = progress
        self._offset = offset
        self._before = (progress.prompt_tokens, progress.cached_tokens)
        self._inbox: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._woken = False

    def receive(self, piece: bytes) -> bool:
        """File a piece; returns True when nobody wants more."""
        self._inbox.append(piece)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self.read)
        return self.cancelled

    def read(self) -> None:
        """Take in all pieces that have come."""
        self._woken = False
        while self._inbox:
            piece: dict[str, Any] = json.loads(self._inbox.popleft())
            if "error" in piece:
                self.error = _error(piece["error"])
            else:
                self._take(piece)

    def _take(self, piece: dict[str, Any]) -> None:
        timings = piece.get("timings", {})
        self._charge_prompt(piece, timings)
        [choice] = piece["choices"]
        draft = self.drafts[choice["index"]]
        new = timings.get("predicted_n", draft.tokens) - draft.tokens
        draft.text += choice["text"]
        draft.tokens += new
        for entry in (choice.get("logprobs") or {}).get("content", ()):
            draft.logprobs.append(entry["logprob"])
            if draft.first is None:
                draft.first = {top["token"]: top["logprob"] for top in reversed(entry["top_logprobs"])}
        if choice["finish_reason"] is not None:
            draft.finish = choice["finish_reason"]
            draft.stopped_by_word = piece.get("__verbose", {}).get("stop_type") == "word"
        if new or choice["text"]:
            self._progress.grow(self._offset + choice["index"], choice["text"], new)

    def _charge_prompt(self, piece: dict[str, Any], timings: dict[str, Any]) -> None:
        """The prompt is read once, however many choices continue it."""
        seen = piece.get("prompt_progress")
        if seen:
            self.prompt_tokens = max(self.prompt_tokens, seen["processed"])
            self.cached_tokens = max(self.cached_tokens, seen["cache"])
        usage = piece.get("usage")
        if usage:
            self.prompt_tokens = usage["prompt_tokens"]
        self._progress.prompt_tokens = self._before[0] + self.prompt_tokens
        self._progress.cached_tokens = self._before[1] + self.cached_tokens


def _error(error: dict[str, Any]) -> BackendError:
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return Rejected(
            f"the prompt has {error.get('n_prompt_tokens'):,} tokens; the model's context here is "
            f"{error.get('n_ctx'):,}"
        )
    return Rejected(message) if error.get("code") == 400 else BrokenReply(f"llama.cpp: {message}")
