"""The world that a simulation asks: recorded branches, or anything else in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ponder.core.actions import Chat, Until
from ponder.core.branch import Branch
from ponder.core.completion import Reply
from ponder.core.problem import Reads

__all__ = ["Environment"]


class Environment(Protocol):
    """A world that answers at once. It sees branches as the strategy does, and no reference answer.

    `reads` is what its verifier can score, see `ponder.core.problem.reads_of`.
    """

    @property
    def reads(self) -> Reads:
        """What its verifier can score."""
        ...

    def extend(self, branch: Branch, tokens: int | None, until: Until) -> Branch:
        """The branch further along: at most by `tokens`, with `answer` set when it has ended by itself."""
        ...

    def append(self, branch: Branch, text: str) -> None:
        """See that branches with this text behind them can be extended.

        Raises:
            MissingCapability: they cannot.
        """
        ...

    def chat(self, asked: Chat) -> Sequence[Reply]:
        """The replies to a strategy's own messages.

        Raises:
            MissingCapability: it knows of none.
        """
        ...

    def probe(self, branch: Branch) -> tuple[str | None, int]:
        """What the branch would answer now, and the tokens that asking costs."""
        ...

    def score(self, branch: Branch) -> tuple[float | None, int]:
        """The verifier's score of the branch, None if it failed there, and the tokens that asking costs."""
        ...
