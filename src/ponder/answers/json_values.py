"""The answer format of runs whose replies are JSON."""

from __future__ import annotations

from typing import Any

from ponder.answers.equivalence import Equivalence
from ponder.answers.long import in_a_worker, is_long
from ponder.core.text.json_values import canonical, decode
from ponder.workers.pool import Undecided, Workers, shared_workers

__all__ = ["JsonValues", "value_of"]

_FENCE = "```"
_KEYS = ("answer", "final_answer")


class JsonValues:
    """Takes the whole reply for a JSON value, and compares values; implements `ponder.core.answer_format`.

    Of an object with a key ``answer`` or ``final_answer`` that value is what is compared: what stands beside it is
    how it was found. A reply that is no JSON gives no answer.
    """

    def __init__(self, workers: Workers | None = None) -> None:
        self._workers = workers or shared_workers()
        self._equivalence = Equivalence(self._workers)

    async def extract(self, text: str) -> str | None:
        """The value that `text` is, with its keys in order; None if it is none, or too much to read."""
        if not is_long(text):
            return value_of(text)
        try:
            return await in_a_worker(self._workers, "ponder.answers.json_values:value_of", text)
        except Undecided:
            return None

    async def same(self, left: str, right: str) -> bool:
        """True when both mean the same; see `Equivalence.same`."""
        return await self._equivalence.same(left, right)


def value_of(text: str) -> str | None:
    """The JSON value that all of `text` is, in one spelling; see `JsonValues`."""
    try:
        value: Any = decode(_unfenced(text.strip()))
    except ValueError:
        return None
    if isinstance(value, dict):
        value = next((value[key] for key in _KEYS if key in value), value)
    return value if isinstance(value, str) else canonical(value)


def _unfenced(text: str) -> str:
    """What a fenced block that is all of the text holds."""
    first, newline, rest = text.partition("\n")
    inside, fence, after = rest.rpartition(_FENCE)
    fenced = first.rstrip().lower() in (_FENCE, f"{_FENCE}json") and newline and fence and not after
    return inside if fenced else text
