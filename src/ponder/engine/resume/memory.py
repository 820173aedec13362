"""What a run remembers: it writes down what it does, and finds what earlier lives of it have done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from ponder.core.budget import Amount
from ponder.core.ledger import Charge
from ponder.engine.lanes import Lane
from ponder.engine.resume.journal import Entry, Journal, Record, Recorded
from ponder.engine.state import State

__all__ = ["Memory"]

T = TypeVar("T")


class Memory:
    """The journal of this life of a run, if it has one, and the record of the earlier ones.

    Results and decisions that come in one turn of the event loop are committed together: at the turn's end, or before
    a call is sent or the strategy goes on.
    """

    def __init__(self, journal: Journal | None, recorded: Recorded, state: State, clock: Callable[[], float]) -> None:
        self.recorded = recorded
        self.clock = clock
        self._journal = journal
        self._state = state
        self._pending = False

    @property
    def writes(self) -> bool:
        """True if anybody will read what is written down here."""
        return self._journal is not None

    @property
    def resumed(self) -> bool:
        """True if this run has an earlier life."""
        return bool(self.recorded.entries)

    def intend(self, lane: Lane, step: int, part: str, intent: Record) -> int:
        """Write down what is about to be done, for certain; returns the row's number."""
        if self._journal is None:
            return 0
        row = self._journal.intend(lane.name, step, part, intent, self.clock())
        self._journal.flush()
        return row

    def settle(self, row: int, result: Record) -> None:
        """Write down what came of it."""
        if self._journal is not None:
            self._commit_soon()
            self._journal.settle(row, result, self.clock())

    def note(self, lane: str, step: int, part: str, result: Record) -> None:
        """Write down a decision."""
        if self._journal is not None:
            self._commit_soon()
            self._journal.note(lane, step, part, result, self.clock())

    def commit(self) -> None:
        """Return when everything written so far would survive the end of the process."""
        if self._pending and self._journal is not None:
            self._journal.flush()

    def _commit_soon(self) -> None:
        if not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self.commit()
        self._pending = False

    async def once(self, lane: Lane, step: int, part: str, compute: Callable[[], Awaitable[T]]) -> T:
        """Plain data that is not computed again when the run resumes: a verifier's score, the time of day."""
        earlier = self.recorded.result(lane.name, step, part)
        if earlier is not None:
            self.take_up(lane, self.recorded.asked(lane.name, step, part))
            value: T = earlier["value"]
            return value
        value = await compute()
        self.note(lane.name, step, part, {"value": value})
        return value

    async def time(self) -> float:
        """The run's clock, in seconds."""
        return self.clock()

    def planned(self, lane: Lane, step: int, part: str) -> int | None:
        """How many choices an earlier life of the run asked for in this call; None if it did not make it."""
        rows = self.recorded.rows(lane.name, step, part)
        if not rows or "n" not in rows[-1].intent or (rows[-1].result or {}).get("interrupted"):
            return None
        n: int = rows[-1].intent["n"]
        return n

    def take_up(self, lane: Lane, rows: Iterable[Entry]) -> None:
        """What earlier lives spent here counts under the limits that the lane has set itself, too."""
        for row in rows:
            charge = Charge(**(row.result or {}).get("charge", {}))
            amount = charge.amount(self._state.prices.get(charge.model))
            for account in lane.account.chain():
                if account is not self._state.root:
                    account.settle(Amount(), amount)
