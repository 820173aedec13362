"""Which answers of a run are the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import anyio

from ponder.core.answer_format import AnswerFormat
from ponder.core.voting.tool_call_votes import calls_as_value

__all__ = ["Clusters"]

END = 5_000
"""Characters from the end of a long reply that are read when there is no time for the whole of it."""

Look = Callable[[str, str], Awaitable[bool]]


class Clusters:
    """Maps every answer to the first answer of the run that means the same.

    So equal answers become equal strings, and strategies can vote by plain comparison. Order of appearance decides
    the representative; the reference answer never takes part.
    """

    def __init__(
        self,
        format: AnswerFormat,
        learned: Callable[[str, str], None] = lambda raw, chosen: None,
        deadline: Callable[[], float] = lambda: float("inf"),
    ) -> None:
        self._format = format
        self._learned = learned
        self._deadline = deadline
        self._undecided = self._unread = 0
        self._chosen: dict[str, str] = {}
        # Without a pause when nobody holds it: a reply that has come is read even if its lane is cancelled just then.
        self._lock = anyio.Lock(fast_acquire=True)

    def know(self, raw: str, chosen: str) -> None:
        """Take over what an earlier life of the run had decided."""
        self._chosen[raw] = chosen

    async def answer(self, text: str, tool_calls: Sequence[Mapping[str, Any]] = ()) -> tuple[str | None, str | None]:
        """The answer in a reply as it stands, and its representative; (None, None) if there is none.

        Tool calls are an answer of their own kind: they are the same when names and arguments are.
        """
        if tool_calls:
            value = calls_as_value(tool_calls)
            return value, value
        raw = await self.extract(text)
        return (raw, None if raw is None else await self.representative(raw))

    async def extract(self, text: str) -> str | None:
        """The answer that rules find in a text; after the deadline only its end is looked at."""
        with self._until_deadline():
            return await self._format.extract(text)
        self._unread += 1
        return await self._format.extract(text[-END:])

    async def representative(self, raw: str, look: Look | None = None) -> str:
        """The first answer of this run that equals `raw`, by the rules or by a second `look`."""
        if raw in self._chosen:
            return self._chosen[raw]
        async with self._lock:  # two branches that finish together must not both found a class
            if raw not in self._chosen:
                known = list(dict.fromkeys(self._chosen.values()))
                chosen = await _first(known, raw, self._same)
                if chosen is None and look is not None:
                    chosen = await _first(known, raw, look)
                chosen = raw if chosen is None else chosen
                self._chosen[raw] = chosen
                self._learned(raw, chosen)
        return self._chosen[raw]

    def remarks(self) -> list[str]:
        """What of the answers was left undecided for want of time."""
        remarks = []
        if self._unread:
            remarks.append(
                f"time ran out before {_count(self._unread, 'long reply', 'long replies')} could be read: "
                "only the end was looked at"
            )
        if self._undecided:
            pairs = _count(self._undecided, "pair of answers", "pairs of answers")
            remarks.append(f"time ran out before {pairs} could be compared: undecided counts as different")
        return remarks

    async def _same(self, left: str, right: str) -> bool:
        with self._until_deadline():
            return await self._format.same(left, right)
        self._undecided += 1
        return False

    def _until_deadline(self) -> AbstractContextManager[object]:
        """Ends what is done in it at the deadline of the run; what needs no wait is done all the same."""
        deadline = self._deadline()
        return nullcontext() if deadline == float("inf") else anyio.CancelScope(deadline=deadline)


async def _first(known: Iterable[str], raw: str, same: Look) -> str | None:
    for one in known:
        if await same(one, raw):
            return one
    return None


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
