"""Runs whose process died: what they have cost is booked, and their clients may go on with them."""

from __future__ import annotations

import asyncio
import logging

from ponder.api import Job
from ponder.core.answer import Answer
from ponder.core.bill import MAIN, Bill
from ponder.core.errors import RunBusy, StoreError
from ponder.engine.resume.journal import Recorded
from ponder.engine.resume.spent import cost_of
from ponder.gateway.admission.gate import Admission
from ponder.store.base import RunRow, RunStore

__all__ = ["Recovery", "booked"]

PERIOD = 25.0
"""Seconds between two looks at the store, which other gateways may share."""

AGAIN = 3.0
"""Seconds after which a run that nobody holds is looked at again: when the database was away for a moment, its gateway
takes as long to hold it again."""

CUT_OFF = "the gateway was killed"

_log = logging.getLogger("ponder.gateway")


class Recovery:
    """Settles what dead processes have left; of several gateways that share a store, one does it."""

    def __init__(self, store: RunStore, admission: Admission) -> None:
        self._store = store
        self._admission = admission

    async def watch(self) -> None:
        """Look for such runs now and then, for ever."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                _log.error("cannot look for runs that were cut off: %s", error)
            await asyncio.sleep(PERIOD)

    async def sweep(self) -> None:
        """Settle all of them.

        Raises:
            StoreError: the store cannot be read or written.
        """
        own = {row.id for row in self._store.running() if row.job.get("owner") is not None}
        free = [run for run in own.union(await self._admission.held_runs()) if self._is_free(run)]
        if free:
            await asyncio.sleep(AGAIN)
        for run in free:
            try:
                await self.settle(run)
            except StoreError:
                raise
            except Exception:  # noqa: BLE001 - the others have to be settled, too
                _log.exception("cannot settle run %s, which was cut off", run)

    def _is_free(self, run: str) -> bool:
        try:
            with self._store.claim(run):
                return True
        except RunBusy:
            return False

    async def settle(self, run: str) -> bool:
        """Settle a run, unless somebody works on it: then False.

        Raises:
            StoreError: the store cannot be read or written.
        """
        try:
            with self._store.claim(run):
                row = self._store.find(run)
                bill = self._cost(row)
                # In this order: what is settled twice is booked once, but nobody looks at a run again that has ended.
                await self._admission.settle_run(run, bill)
                if row is not None and row.status == "running":
                    answer = Answer(value=None, stopped_because=CUT_OFF, bill=bill)
                    self._store.finish(run, "interrupted", answer.as_dict())
        except RunBusy:
            return False
        return True

    def _cost(self, row: RunRow | None) -> Bill:
        """What a run has cost in all its lives; nothing if it was cut off before it began."""
        if row is None:
            return Bill(usd=0.0)
        if row.status == "running":
            job = Job.from_dict(row.job)
            return cost_of(Recorded(self._store.entries(row.id)), {**job.prices, MAIN: job.price})
        return booked(row)


def booked(row: RunRow) -> Bill:
    """What the lives of a run that have ended have cost."""
    bill = (row.answer or {}).get("bill")
    return Bill(usd=0.0) if bill is None else Bill.from_dict(bill)
