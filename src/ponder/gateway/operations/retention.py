"""How much of the past a gateway keeps, and how full its disk is: looked at now and then, outside the event loop."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from contextlib import closing
from dataclasses import dataclass

from ponder.core.errors import RunBusy, StoreError
from ponder.gateway.settings import Kept
from ponder.store.base import RunStore
from ponder.store.limits import Limits, Sized

__all__ = ["Retention", "StoreSize"]

PERIOD = 300.0
"""Seconds between two looks."""

BETWEEN = 0.02
"""Seconds between two removals, so that whoever writes is never kept waiting for more than one."""

LEAST_FREE = 1 << 30
"""Bytes of free disk below which a warning is due; or a twentieth of the disk, whichever is less."""

_log = logging.getLogger("ponder.gateway")


@dataclass(slots=True)
class StoreSize:
    """The bytes of a run store, and those that are free on its disk; None where nobody has looked, or can."""

    bytes: int | None = None
    free: int | None = None


class Retention:
    """Removes runs of one store that are beyond the limits; `size` is that of the last look.

    A run that somebody works on stays. It works on a connection of its own.
    """

    def __init__(self, kept: Kept, store: RunStore) -> None:
        self.size = StoreSize()
        self._limits = Limits(
            seconds=kept.days * 86_400 if kept.days else None,
            runs=kept.runs or None,
            bytes=int(kept.gigabytes * 1e9) if kept.gigabytes else None,
        )
        self._store = store
        self._warned = False
        self._over = threading.Event()

    async def watch(self) -> None:
        """Look now and then, for ever."""
        try:
            while True:
                await asyncio.to_thread(self._try)
                await asyncio.sleep(PERIOD)
        finally:
            self._over.set()

    def _try(self) -> None:
        try:
            self.look(time.time())
        except StoreError as error:
            _log.error("cannot remove old runs: %s", error)

    def look(self, now: float) -> int:
        """Remove what is beyond the limits at `now`, in seconds since 1970, and see how full the disk is.

        Returns how many runs went.

        Raises:
            StoreError: the store cannot be read or written.
        """
        with closing(self._store.another()) as store:
            gone = 0
            if self._limits != Limits():
                gone = sum(self._removed(store, run) for run in store.beyond(self._limits, now))
            self.size.bytes = store.size()
        if gone:
            _log.info("%d old runs were removed, see [kept] in the configuration", gone)
        self._look_at_disk()
        return gone

    def _removed(self, store: RunStore, run: Sized) -> bool:
        if run.status == "running" or self._over.wait(BETWEEN):
            return False
        try:
            return store.remove(run.id)
        except RunBusy:
            return False

    def _look_at_disk(self) -> None:
        if self._store.folder is None:
            return
        disk = shutil.disk_usage(self._store.folder)
        self.size.free = disk.free
        low = disk.free < min(LEAST_FREE, disk.total // 20)
        if low and not self._warned:
            _log.warning(
                "the disk of the run store %s is nearly full: %.2f GB are free; `ponder runs prune` removes old runs, "
                "`ponder runs vacuum` gives their room back",
                self._store.place,
                disk.free / 1e9,
            )
        self._warned = low
