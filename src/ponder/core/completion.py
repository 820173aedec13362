"""What a model replied."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from ponder.core.text.json_values import decode

__all__ = ["Choice", "Completion", "Finish", "Reply", "Usage"]

Finish = Literal["stop", "length", "boundary", "content_filter"]
"""Why a model stopped: by itself, at `max_tokens`, at one of the request's `stop` strings, or cut by a filter."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One completion. `text` is what follows `Request.prefix`, without the reasoning, which is in `thinking`.

    `tokens` counts everything generated, reasoning included; `thinking_tokens` is the reasoning part of it.
    `logprob` is the mean log-probability of the generated tokens; `first` maps the likeliest first tokens to their
    log-probabilities. Both are absent unless the request asked for log-probabilities. `tool_calls` are as the chat API
    has them: ``{"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}}``.

    Two things matter when the text is continued. `thinking_closed` says that the reasoning is over although no visible
    text has followed it yet; without it a choice that has only reasoning stands in the middle of it. `unsure` says
    that a `finish` of "stop" may be a stop string as well: the server does not tell them apart.
    """

    text: str
    tokens: int
    finish: Finish
    thinking: str = ""
    thinking_tokens: int = 0
    logprob: float | None = None
    first: Mapping[str, float] = field(default_factory=dict)
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    thinking_closed: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call is charged for, in tokens; `prompt` includes `cached`, `output` spans all choices.

    `estimated` are those of `prompt` and `output` that the server did not count, or not credibly.
    """

    prompt: int = 0
    cached: int = 0
    output: int = 0
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """The reply to a `Request`: as many choices as it asked for."""

    choices: tuple[Choice, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said to a strategy's own messages; as a string it is its `text`.

    `tokens` counts everything generated, `thinking` included. `logprob` and `first` are those of `Choice`, where
    log-probabilities were asked for. `parsed` is the JSON value of the text where a schema was asked for; None if the
    text is no JSON.
    """

    text: str
    tokens: int
    finish: Finish
    thinking: str = ""
    logprob: float | None = None
    first: Mapping[str, float] = field(default_factory=dict)
    parsed: Any = None

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, choice: Choice, *, structured: bool) -> Reply:
        """The reply that a choice is; with `structured` its text is read as JSON."""
        parsed = None
        if structured:
            with suppress(ValueError):
                parsed = decode(choice.text)
        return cls(choice.text, choice.tokens, choice.finish, choice.thinking, choice.logprob, choice.first, parsed)
