"""The answer format of every run that asks for no other."""

from __future__ import annotations

from collections.abc import Iterable

from ponder.answers.equivalence import Equivalence
from ponder.answers.extract import extract
from ponder.workers.pool import Workers

__all__ = ["Answers"]


class Answers:
    """Finds answers with `extract` and compares them with `Equivalence`; implements `ponder.core.answers`."""

    def __init__(self, workers: Workers | None = None) -> None:
        self._equivalence = Equivalence(workers)

    def extract(self, text: str) -> str | None:
        """The final answer that `text` gives, or None if it gives none."""
        return extract(text)

    async def same(self, left: str, right: str) -> bool:
        """True when both mean the same; see `Equivalence.same`."""
        return await self._equivalence.same(left, right)

    async def cluster(self, answers: Iterable[str]) -> list[int]:
        """For each answer the index of the first answer that it equals, its own if it is new."""
        return await self._equivalence.cluster(answers)
