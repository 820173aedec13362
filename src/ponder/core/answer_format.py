"""How an answer is found in a text and when two answers are the same: the seam to `ponder.answers`."""

from __future__ import annotations

from typing import Protocol

__all__ = ["AnswerFormat"]


class AnswerFormat(Protocol):
    """Finds answers and compares them."""

    async def extract(self, text: str) -> str | None:
        """The final answer that `text` gives, or None if it gives none. A long text is read outside the event loop."""
        ...

    async def same(self, left: str, right: str) -> bool:
        """True when both mean the same; symmetric. Undecided within the time limit counts as different."""
        ...
