"""Requests that a strategy answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ponder.api import Job
from ponder.core.answer import Answer
from ponder.core.errors import RunBusy
from ponder.core.methods.registry import Plan
from ponder.engine.live.call import Watch
from ponder.gateway.choosing import Chosen
from ponder.gateway.errors import Refused
from ponder.gateway.http.asgi import Scope, Send, send_json
from ponder.gateway.http.disconnect import WhileConnected
from ponder.gateway.request_record import record
from ponder.gateway.scaled import reply
from ponder.gateway.scaled.orders import Request, order_of
from ponder.gateway.scaled.progress import Progress
from ponder.gateway.scaled.recovery import Recovery, booked
from ponder.gateway.scaled.runs import Attempt, Finished, Order, Running, Runs
from ponder.gateway.scaled.stream import Streamed
from ponder.gateway.settings import SINGLE, Config, Key
from ponder.gateway.upstreams.metered import Meter
from ponder.gateway.upstreams.models import Models
from ponder.gateway.upstreams.routes import Route, Routes
from ponder.gateway.wire.fields import ChatRequest, TextRequest, read
from ponder.gateway.wire.reading import Body
from ponder.store.base import RunRow, RunStore

__all__ = ["Scaled"]


class Scaled:
    """Answers requests by runs, which are journalled in the store."""

    def __init__(
        self, config: Config, models: Models, routes: Routes, store: RunStore, runs: Runs, recovery: Recovery
    ) -> None:
        self._config = config
        self._models = models
        self._routes = routes
        self._store = store
        self._runs = runs
        self._recovery = recovery

    async def answer(
        self, chosen: Chosen, plan: Plan, body: Body, kind: type[ChatRequest] | type[TextRequest],
        key: Key, scope: Scope, send: Send, meter: Meter,
    ) -> None:  # fmt: skip
        """Carry out one request.

        Raises:
            BadRequest: a field cannot be honoured.
            UsageError: the strategy cannot be carried out.
            Refused: it is not let in.
            RunBusy: another gateway carries it out already.
            BackendError: the model failed, and so did what was to take its place.
            ConnectionResetError: the client went away; the run was cancelled.
        """
        request = Request(*read(body.fields, kind), body, scope)
        route = self._routes.first(chosen.served.upstream.name, chosen.served.model, key.name)
        order = order_of(request, plan, route, key, self._models, self._config)
        progress = Progress() if request.fields.stream else None
        running = await self._begun(order, plan, progress.watch if progress else None, meter)
        running.join()
        try:
            if progress is not None:
                direct = plan.strategy.name == SINGLE
                await Streamed(send, running, progress, request, plan, direct=direct).run(scope)
            else:
                with WhileConnected(scope):
                    # The run outlives a client that goes away while others wait for it.
                    answer = await asyncio.shield(running.task)
                summary = reply.summary_of(answer, running)
                said = reply.body_of(answer, request.fields.model, summary, chat=request.chat)
                await send_json(send, 200, said, reply.headers_of(summary))
        finally:
            await running.leave()
            record().run = running.run
        await self._models.trim()

    async def _begun(self, order: Order, plan: Plan, watch: Watch | None, meter: Meter) -> Running | Finished:
        """A new run; or the one that an earlier request with the same ``Idempotency-Key`` began, or its answer.

        Raises:
            Refused: that request was another one.
            RunBusy: another gateway carries it out.
        """
        while order.run is not None:
            running = await self._runs.named(order.run)
            row = None if running else self._store.find(order.run)
            asked = running.order.asked if running else row.job["asked"] if row else order.asked
            if asked != order.asked:
                raise Refused(422, "idempotency_mismatch", "this Idempotency-Key was used for another request")
            if running is not None:
                return running
            if row is None:
                break
            if row.status == "done" and row.answer is not None:
                answer = Answer.from_dict(row.answer)
                if not reply.is_empty(answer):
                    return Finished(answer, plan, order.route, meter)
                order = replace(order, anew=True)  # its client got an error
                break
            if row.status != "running":
                order = _resumed(order, row)
                break
            if not await self._recovery.settle(row.id):
                raise RunBusy(row.id)
        return self._runs.start(order, watch, meter)


def _resumed(order: Order, row: RunRow) -> Order:
    """The order, to go on where an earlier life of its run was cut off."""
    job = Job.from_dict(row.job)

    def attempt(route: Route) -> Attempt:
        made = order.attempt(route)
        return replace(made, job=lambda permit: replace(job, budget=permit.budget)) if route == order.route else made

    return replace(order, attempt=attempt, booked=booked(row))
