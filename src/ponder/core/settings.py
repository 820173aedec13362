"""How a model is sampled in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ponder.core.errors import InvalidOption

__all__ = ["LEVELS", "PROBE", "TEMPERATURE", "TOP_P", "LimitName", "Look", "Settings", "Thinking", "read_thinking"]

Look = Literal["rules", "model"]
"""Who finds the answer in a reply: rules, or where they cannot decide the model itself."""

Thinking = Literal["none", "minimal", "low", "medium", "high", "xhigh"] | int
"""How much a model reasons before it answers: a level, which is a wish, or a number of tokens, which is a limit."""

LEVELS: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh")

LimitName = Literal["max_tokens", "max_completion_tokens"]
"""What the chat API calls the limit of a reply; models know one of the two, or both."""

TEMPERATURE = 0.7
"""What the engine asks for where nobody has set a temperature: a vote needs samples that differ."""

TOP_P = 0.95
"""What a model in this process samples with where nobody has set it; servers have a value of their own."""

PROBE = "\n\nTime is up. Answer: \\boxed{"
"""Appended to an unfinished branch to ask what it would answer now; the reply ends at the closing brace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sampling settings, the same for every branch of a run.

    `max_tokens` bounds one branch (or one chat reply), reasoning included; `limit_name` is what a chat API is to call
    it, None leaves that to the kind of server. `thinking` is how much the model reasons: a level, or the most tokens.
    A `temperature` that is None was not set: `TEMPERATURE` is asked for, and left out where a model refuses it. A
    `top_p` that is None is not sent. `max_actions` stops a strategy that acts without end. `options` are those of
    `Request`: they go with every call that continues a branch. With `answers` "model" the model is asked in a short
    call, on the bill as a probe, which answer a reply gives in which rules find none, and whether two short texts are
    the same answer.
    """

    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    thinking: Thinking | None = None
    limit_name: LimitName | None = None
    probe: str = PROBE
    probe_tokens: int = 24
    max_actions: int = 100_000
    options: Mapping[str, Any] = field(default_factory=dict)
    answers: Look = "rules"

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens <= 1_000_000:
            raise InvalidOption(f"max_tokens={self.max_tokens} must lie between 1 and 1,000,000")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise InvalidOption(f"temperature={self.temperature:g} must lie between 0 and 2")
        if self.answers not in get_args(Look):
            raise InvalidOption(f"answers={self.answers!r:.40} must be one of {', '.join(get_args(Look))}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InvalidOption(f"top_p={self.top_p:g} must lie between 0 (excluded) and 1")
        if self.thinking is not None:
            _check_thinking(self.thinking)
        if self.limit_name is not None and self.limit_name not in get_args(LimitName):
            raise InvalidOption(f"limit_name={self.limit_name!r} is not one of {', '.join(get_args(LimitName))}")


def read_thinking(text: str) -> Thinking:
    """A level or a number of tokens, as it is written in a shell.

    Raises:
        InvalidOption: it is neither.
    """
    value: Any = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    return _check_thinking(value)


def _check_thinking(value: Any) -> Thinking:
    is_limit = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000
    if not is_limit and value not in LEVELS:
        raise InvalidOption(
            f"thinking={value!r:.40} is none of {', '.join(LEVELS)}, and no number of tokens up to 1,000,000"
        )
    checked: Thinking = value
    return checked
