"""The answer format of every run that asks for no other."""

from __future__ import annotations

from ponder.answers.equivalence import Equivalence
from ponder.answers.extract import extract
from ponder.answers.long import LONG, in_a_worker, is_long
from ponder.workers.pool import Undecided, Workers, shared_workers

__all__ = ["Answers"]


class Answers:
    """Finds answers with `extract` and compares them with `Equivalence`; implements `ponder.core.answer_format`.

    With the `question` it knows what a short statement adds to it: "The capital of Australia is Canberra" says
    Canberra, and "Jupiter" is choice B.
    """

    def __init__(self, workers: Workers | None = None, question: str = "") -> None:
        self._workers = workers or shared_workers()
        self._equivalence = Equivalence(self._workers)
        self._question = question

    async def extract(self, text: str) -> str | None:
        """The final answer that `text` gives, or None if it gives none; its end, if that is too much to read."""
        if not is_long(text):
            return extract(text, self._question)
        try:
            return await in_a_worker(self._workers, "ponder.answers.extract:extract", text, self._question)
        except Undecided:
            return extract(text[-LONG:], self._question)

    async def same(self, left: str, right: str) -> bool:
        """True when both mean the same; see `Equivalence.same`."""
        return await self._equivalence.same(left, right)
