"""Runs under way. Whoever asks waits for one; when the last one has gone, it is cancelled and its bill settled."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from ponder.api import Job, execute
from ponder.core.answer import Answer
from ponder.core.backend import Backend
from ponder.core.bill import Bill
from ponder.core.budget import Budget
from ponder.core.errors import BackendError, StoreError
from ponder.core.methods.registry import Plan
from ponder.engine.live.call import Watch
from ponder.engine.live.driver import Live
from ponder.engine.program import blame
from ponder.gateway.admission.gate import Admission, Ask, Permit
from ponder.gateway.settings import Key
from ponder.gateway.telemetry.traces import tell
from ponder.gateway.upstreams.metered import Meter, metering
from ponder.gateway.upstreams.routes import Route, Routes
from ponder.store.base import RunStore

__all__ = ["Attempt", "Finished", "Order", "Running", "Runs"]

_log = logging.getLogger("ponder.gateway")

T = TypeVar("T", int, float)

MARGIN = 0.05
"""Seconds before the client's deadline at which the run has to stop, so that its answer is there in time."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to carry out a request: with this strategy on this model; `job` makes the run, once it is let in."""

    ask: Ask
    plan: Plan
    backend: Backend
    job: Callable[[Permit], Job]


@dataclass(frozen=True, slots=True)
class Order:
    """A request to be carried out along `route`, or along the one that takes its place; `attempt` says how.

    `run` is the id under which the answer is kept, None for any. `booked` is what earlier lives of that run have been
    booked with, None if it has none; with `anew` it is left as it is, and another one begun. `asked` is a digest of the
    request.
    """

    key: Key
    route: Route
    attempt: Callable[[Route], Attempt]
    asked: str
    run: str | None = None
    booked: Bill | None = None
    anew: bool = False


class Running:
    """One run, from the moment it was asked for.

    `meter` is that of the request that began it. `route` is the way that it goes, `plan` what it does there. `live`
    and `run` are there once `started` is set, or the task has ended: with an answer, or the error that kept it from
    starting.
    """

    def __init__(
        self, order: Order, admission: Admission, routes: Routes, store: RunStore, watch: Watch | None, meter: Meter
    ) -> None:
        self.order = order
        self.route = order.route
        self.plan: Plan | None = None
        self.meter = meter
        self.live: Live | None = None
        self.run = order.run
        self.started = asyncio.Event()
        self.stopping = False
        self._admission = admission
        self._routes = routes
        self._store = store
        self._watch = watch
        self._born = time.monotonic()
        self._users = 0
        self._job: Job | None = None
        self.task: asyncio.Future[Answer] = asyncio.create_task(self._work())

    @property
    def strategy(self) -> str:
        """The spec of what it does."""
        return self.plan.spec if self.plan else ""

    @property
    def _age(self) -> float:
        """Seconds since it was asked for."""
        return time.monotonic() - self._born

    @property
    def _spent(self) -> Bill:
        """What this life of it has cost so far; nothing if it never began."""
        return self.live.bill - self._booked if self.live else Bill(usd=0.0)

    @property
    def _booked(self) -> Bill:
        """What its earlier lives were booked with."""
        earlier = self.order.booked if self.run == self.order.run else None
        return earlier or Bill(usd=0.0)

    def join(self) -> None:
        """One more waits for it."""
        self._users += 1

    async def leave(self) -> None:
        """One less waits for it; without any it is cancelled, and over when this returns."""
        self._users -= 1
        if self._users == 0:
            await self.stop()

    async def stop(self) -> None:
        """Cancel it; it is over when this returns."""
        self.stopping = True
        self.task.cancel()
        await asyncio.wait({self.task})

    async def _work(self) -> Answer:
        metering.set(self.meter)
        run, tried_for = (None if self.order.anew else self.order.run) or _new_id(), 0.0
        while True:
            try:
                answer = await self._carry_out(self.order.attempt(self.route), run, tried_for)
            except BackendError as error:
                self.route = self._routes.instead(self.route, error)
                run, tried_for = _new_id(), self._age  # the store keeps the run that has failed
            else:
                self._keep(answer)
                return answer

    def _keep(self, answer: Answer) -> None:
        """Whoever asks again by the client's name for the run gets this answer, also where another run gave it."""
        name = self.order.run
        if name is not None and name != self.run and self._job is not None:
            try:
                if self._store.find(name) is None:
                    self._store.begin(self._job.as_dict(), name)
                self._store.finish(name, "done", answer.as_dict())
            except StoreError as error:  # the answer is there
                _log.error("cannot keep the answer of run %s: %s", name, error)

    async def _carry_out(self, attempt: Attempt, run: str, tried_for: float) -> Answer:
        self.plan, self.live = attempt.plan, None
        self.run = run
        ask = msgspec.structs.replace(attempt.ask, run=run, booked=self._booked, tried_for=tried_for)
        async with self._admission.admit(self.order.key, ask, self._store.claim(run)) as permit:
            job = self._job = self._in_this_life(attempt.job(permit), attempt.ask.budget)
            try:
                answer = await execute(
                    job, attempt.backend, plan=attempt.plan, store=self._store, run=run, watch=self._watch,
                    on_start=self._began, claimed=True,
                )  # fmt: skip
            except BaseException as error:
                if self.live is not None and self.live.escaped is not None:  # it would end the gateway
                    raise blame(attempt.plan.strategy.name, self.live.escaped) from error
                raise
            finally:
                permit.settle(self._spent)
            tell(answer)
            return answer

    def _in_this_life(self, job: Job, asked: Budget) -> Job:
        """The job with its budget on top of what earlier lives have had, and with what is left of its deadline.

        What the client itself has `asked` for holds for all lives together.
        """
        budget, booked = job.budget, self._booked
        seconds = budget.seconds
        if seconds is not None:  # time in the queue counts
            left = seconds - self._age
            seconds = booked.seconds + max(left - MARGIN, left / 2, 1e-3)
        return replace(
            job,
            budget=Budget(
                tokens=_on_top(budget.tokens, booked.total_tokens, asked.tokens),
                usd=_on_top(budget.usd, booked.usd or 0.0, asked.usd),
                calls=_on_top(budget.calls, booked.calls, asked.calls),
                seconds=seconds,
            ),
        )

    def _began(self, live: Live, run: str | None) -> None:
        self.live, self.run = live, run
        self.started.set()


def _on_top(limit: T | None, booked: T, asked: T | None) -> T | None:
    if limit is None:
        return None
    return limit + booked if asked is None else min(limit + booked, asked)


def _new_id() -> str:
    return secrets.token_hex(12)


class Finished:
    """A run that is over, for somebody who asks for it again."""

    def __init__(self, answer: Answer, plan: Plan, route: Route, meter: Meter) -> None:
        self.strategy = plan.spec
        self.route = route
        self.task: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.task.set_result(answer)
        self.started = asyncio.Event()
        self.started.set()
        self.live: Live | None = None
        self.run = answer.run
        self.meter = meter

    def join(self) -> None:
        """One more asks for it."""

    async def leave(self) -> None:
        """One less asks for it."""


class Runs:
    """All runs under way; those that a client has named with an ``Idempotency-Key`` can be joined."""

    def __init__(self, admission: Admission, routes: Routes, store: RunStore) -> None:
        self._admission = admission
        self._routes = routes
        self._store = store
        self._under_way: set[Running] = set()
        self._named: dict[str, Running] = {}

    def start(self, order: Order, watch: Watch | None, meter: Meter) -> Running:
        """Begin a run."""
        running = Running(order, self._admission, self._routes, self._store, watch, meter)
        self._under_way.add(running)
        running.task.add_done_callback(lambda _: self._under_way.discard(running))
        if order.run is not None:
            name = order.run
            self._named[name] = running
            running.task.add_done_callback(lambda _: self._named.pop(name, None))
        return running

    async def named(self, run: str) -> Running | None:
        """The run of this name, if it is under way; one that is being cancelled is waited for, and is not."""
        while (running := self._named.get(run)) is not None and running.stopping:
            await asyncio.wait({running.task})
            await asyncio.sleep(0)  # it is forgotten by a callback
        return running

    async def stop(self) -> None:
        """Cancel all runs and settle their bills."""
        for running in list(self._under_way):
            await running.stop()
