"""How a model is sampled in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ponder.core.errors import InvalidOption

__all__ = ["PROBE", "Look", "Settings"]

Look = Literal["rules", "model"]
"""Who finds the answer in a reply: rules, or where they cannot decide the model itself."""

PROBE = "\n\nTime is up. Answer: \\boxed{"
"""Appended to an unfinished branch to ask what it would answer now; the reply ends at the closing brace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sampling settings, the same for every branch of a run.

    `max_tokens` bounds one branch (or one chat reply), reasoning included, `thinking_budget` the reasoning alone, on a
    backend that can. `max_actions` stops a strategy that acts without end. `options` are those of `Request`: they go
    with every call that continues a branch. With `answers` "model" the model is asked in a short call, on the bill as a
    probe, which answer a reply gives in which rules find none, and whether two short texts are the same answer.
    """

    max_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 0.95
    thinking_budget: int | None = None
    probe: str = PROBE
    probe_tokens: int = 24
    max_actions: int = 100_000
    options: Mapping[str, Any] = field(default_factory=dict)
    answers: Look = "rules"

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens <= 1_000_000:
            raise InvalidOption(f"max_tokens={self.max_tokens} must lie between 1 and 1,000,000")
        if not 0 <= self.temperature <= 2:
            raise InvalidOption(f"temperature={self.temperature:g} must lie between 0 and 2")
        if self.answers not in get_args(Look):
            raise InvalidOption(f"answers={self.answers!r:.40} must be one of {', '.join(get_args(Look))}")
        if not 0 < self.top_p <= 1:
            raise InvalidOption(f"top_p={self.top_p:g} must lie between 0 (excluded) and 1")
