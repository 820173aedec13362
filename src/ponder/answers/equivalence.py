"""When two answers mean the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import anyio.lowlevel

from ponder.answers.kinds import Reading, read, settle
from ponder.core.errors import VerifierError
from ponder.workers.pool import Dropped, JobFailed, Undecided, Workers, shared_workers, wait

__all__ = ["Decision", "Equivalence"]

_REMEMBERED = 10_000


_DECIDERS = {"same_units": "a table of units", "same": "computer algebra"}


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether two answers mean the same, and what told, in a phrase."""

    same: bool
    by: str


class Equivalence:
    """A symmetric and reflexive relation on answers; not transitive, as a missing unit or percent sign is forgiven.

    Numbers, choices, words, JSON and whatever has the same normal form are settled at once. What is left goes to
    math-verify (Kydlíček and Gandenberger, 2025) in a process that is killed at its time limit, and that runs share in
    turn; undecided counts as different, and so does what is beyond the share of a run. Verdicts are remembered.
    """

    def __init__(self, workers: Workers | None = None) -> None:
        self._workers = workers or shared_workers()
        self._asked: OrderedDict[tuple[str, ...], Future[Any]] = OrderedDict()
        self._lock = threading.Lock()

    async def same(self, left: str, right: str) -> bool:
        """True when both mean the same.

        Raises:
            VerifierError: the comparing process cannot be started.
        """
        return left == right or (await self.decide(left, right)).same

    async def decide(self, left: str, right: str) -> Decision:
        """The same, with what told.

        Raises:
            VerifierError: the comparing process cannot be started.
        """
        if left == right:
            return Decision(True, "every character")
        readings = read(left), read(right)
        settled = settle(*readings)
        if settled is not None:
            return Decision(settled, "kind and normal form")
        await anyio.lowlevel.checkpoint_if_cancelled()  # where there is no time left, no work is begun
        job, first, second = _job(*readings)
        try:
            return Decision(await self._verdict(job, first, second), _DECIDERS[job])
        except (Undecided, JobFailed):
            return Decision(False, f"default: {_DECIDERS[job]} came to no end")

    async def _verdict(self, job: str, first: Any, second: Any) -> bool:
        while True:
            try:
                return bool(await wait(self._ask(job, first, second)))
            except Dropped:  # that may have been another run, which was here first
                continue

    def _ask(self, job: str, first: Any, second: Any) -> Future[Any]:
        key = (job, *sorted((str(first), str(second))))
        with self._lock:
            future = self._asked.get(key)
            if future is None or _may_be_retried(future):
                future = self._workers.submit(job, first, second)
            self._asked[key] = future
            self._asked.move_to_end(key)
            if len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
        return future


def _job(left: Reading, right: Reading) -> tuple[str, Any, Any]:
    """What a worker is asked: units for two quantities, computer algebra for the rest; the same in either order."""
    if left.kind == right.kind == "number" and left.quantity and right.quantity:
        first, second = sorted(
            [[str(value), unit] for value, unit in ((each.value, each.unit), *each.parts)]
            for each in (left.quantity, right.quantity)
        )
        return "same_units", first, second
    formula, other = sorted(side.latex or "" for side in (left, right))
    return "same", formula, other


def _may_be_retried(future: Future[Any]) -> bool:
    return future.cancelled() or (future.done() and isinstance(future.exception(), VerifierError | Dropped))
