"""What a strategy may ask for: one small frozen value per operation of a `Session`."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ponder.core.backend import Message
from ponder.core.bill import MAIN
from ponder.core.branch import Branch
from ponder.core.budget import Budget

__all__ = [
    "Action",
    "Append",
    "Chat",
    "Clock",
    "Extend",
    "Fork",
    "Gather",
    "Limit",
    "Next",
    "Probe",
    "Prune",
    "Race",
    "Sample",
    "Score",
    "Unlimit",
    "Unrace",
    "Until",
]

Until = Literal["end", "step"]
"""How far to extend: to the end of the reply, or to the next step boundary (a blank line)."""


class Action:
    """Base of all actions; whatever else a strategy awaits is a mistake."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Sample(Action):
    """Open `n` branches of a model from the prompt, or from `messages`; gives list[Branch]."""

    n: int
    messages: tuple[Message, ...] | None = None
    model: str = MAIN


@dataclass(frozen=True, slots=True)
class Extend(Action):
    """Continue branches, at most by `tokens`; gives list[Branch]."""

    branches: tuple[Branch, ...]
    tokens: int | None
    until: Until


@dataclass(frozen=True, slots=True)
class Append(Action):
    """Put text that the model did not write behind a branch; gives Branch."""

    branch: Branch
    text: str


@dataclass(frozen=True, slots=True)
class Fork(Action):
    """Open `n` children of a branch; gives list[Branch]."""

    branch: Branch
    n: int


@dataclass(frozen=True, slots=True)
class Probe(Action):
    """What would these branches answer now? Gives list[str | None]."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Prune(Action):
    """Stop branches, keep their record; gives list[Branch]."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Score(Action):
    """Ask the run's verifier; gives list[Branch]."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Chat(Action):
    """`n` free replies: critique, judge, merge; gives list[Reply]."""

    messages: tuple[Message, ...]
    n: int = 1
    model: str = MAIN
    max_tokens: int | None = None
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    logprobs: int = 0
    purpose: str = "chat"


@dataclass(frozen=True, slots=True)
class Clock(Action):
    """Seconds since the run began; gives float."""


@dataclass(frozen=True, slots=True)
class Gather(Action):
    """Run children concurrently, each in a journal lane of its own; gives list of what they return."""

    children: tuple[Coroutine[Any, Any, Any], ...]


@dataclass(frozen=True, slots=True)
class Race(Action):
    """Start children concurrently; gives int, a handle for `Next` and `Unrace`."""

    children: tuple[Coroutine[Any, Any, Any], ...]


@dataclass(frozen=True, slots=True)
class Next(Action):
    """Wait for the next child to finish; gives (True, what it returns), or (False, None) after the last."""

    race: int


@dataclass(frozen=True, slots=True)
class Unrace(Action):
    """Cancel the children that still run; what they produced is booked; gives None."""

    race: int


@dataclass(frozen=True, slots=True)
class Limit(Action):
    """Put what this lane spends from now on under a budget of its own, too; gives None."""

    budget: Budget


@dataclass(frozen=True, slots=True)
class Unlimit(Action):
    """Close the innermost `Limit`; gives None."""
