"""The answer format of runs whose replies are JSON."""

from __future__ import annotations

import re
from typing import Any

from ponder.answers.equivalence import Equivalence
from ponder.core.values import canonical, decode
from ponder.workers.pool import Workers

__all__ = ["JsonValues"]

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL | re.IGNORECASE)
_KEYS = ("answer", "final_answer")


class JsonValues:
    """Takes the whole reply for a JSON value, and compares values; implements `ponder.core.answers`.

    Of an object with a key ``answer`` or ``final_answer`` that value is what is compared: what stands beside it is
    how it was found. A reply that is no JSON gives no answer.
    """

    def __init__(self, workers: Workers | None = None) -> None:
        self._equivalence = Equivalence(workers)

    def extract(self, text: str) -> str | None:
        """The value that `text` is, with its keys in order; None if it is none."""
        fenced = _FENCED.fullmatch(text)
        try:
            value: Any = decode(fenced[1] if fenced else text)
        except ValueError:
            return None
        if isinstance(value, dict):
            value = next((value[key] for key in _KEYS if key in value), value)
        return value if isinstance(value, str) else canonical(value)

    async def same(self, left: str, right: str) -> bool:
        """True when both mean the same; see `Equivalence.same`."""
        return await self._equivalence.same(left, right)
