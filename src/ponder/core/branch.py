"""One line of reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

__all__ = ["Branch", "Ending"]

Ending = Literal["stop", "length", "content_filter", "pruned", "failed", "budget"]
"""How a branch ended: by itself, at its token limit, cut by the server's filter, by the strategy, by an error, or for
want of budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch as it stands now; every operation returns a new one.

    `text` is the visible text from the start of the reply, `thinking` the reasoning kept apart from it. `tokens`
    counts what was generated along this line, a parent's share included. `answer` is the representative of the
    answers equal to it in this run, so that equal answers are equal strings; None abstains. `raw_answer` is how
    this branch put it. `logprob` is the mean log-probability of its tokens, `score` what the verifier gave.
    `tool_calls` are what it ends with in place of a text, as the chat API has them. `messages` is the prompt that the
    strategy gave it; None means the problem's. `model` is the role of the model that writes it.
    """

    id: str
    parent: str | None = None
    text: str = ""
    thinking: str = ""
    tokens: int = 0
    ending: Ending | None = None
    answer: str | None = None
    raw_answer: str | None = None
    logprob: float | None = None
    score: float | None = None
    error: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    messages: tuple[Mapping[str, Any], ...] | None = None
    model: str = "main"

    @property
    def complete(self) -> bool:
        """True when nothing can follow: the model ended it, the token limit, or the server's filter."""
        return self.ending in ("stop", "length", "content_filter")

    @property
    def live(self) -> bool:
        """True while it can still be extended."""
        return self.ending is None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
