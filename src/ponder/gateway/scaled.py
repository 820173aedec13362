"""Requests that a strategy answers."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponder.api import Job
from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.budget import Budget
from ponder.core.registry import Plan
from ponder.core.settings import Settings
from ponder.gateway import reply
from ponder.gateway.admission import Ask, Permit, Refused
from ponder.gateway.choose import SINGLE, Chosen
from ponder.gateway.config import Config, Key
from ponder.gateway.failures import BadRequest
from ponder.gateway.http import Receive, Scope, Send, header, send_json, while_connected
from ponder.gateway.metered import Meter
from ponder.gateway.models import Models
from ponder.gateway.progress import Progress
from ponder.gateway.running import Finished, Order, Running, Runs
from ponder.gateway.runs import find_run
from ponder.gateway.stream import Streamed
from ponder.gateway.wire import ChatRequest, Ponder, TextRequest, messages_of, read
from ponder.store.sqlite import Store

__all__ = ["Scaled"]

_FOR_WHOLE_REPLIES = ("tools", "response_format")
"""Options that a method which cuts replies into stretches cannot honour."""


_CHECKS_ITSELF = re.compile(r"p-yes(\(k=\d{1,4}\))?")


class Scaled:
    """Answers requests by runs, which are journalled in the store."""

    def __init__(self, config: Config, models: Models, store: Store, runs: Runs) -> None:
        self._config = config
        self._models = models
        self._store = store
        self._runs = runs

    async def answer(
        self, chosen: Chosen, plan: Plan, body: bytes, kind: type[ChatRequest] | type[TextRequest],
        key: Key, scope: Scope, receive: Receive, send: Send, meter: Meter,
    ) -> None:  # fmt: skip
        """Carry out one request.

        Raises:
            BadRequest: a field cannot be honoured.
            UsageError: the strategy cannot be carried out.
            Refused: it is not let in.
            ConnectionResetError: the client went away; the run was cancelled.
        """
        chat = kind is ChatRequest
        request, options = read(body, kind)
        order = self._order(chosen, plan, request, options, body, key, scope)
        progress = Progress() if request.stream else None
        running = self._earlier(order, meter)
        if running is None:
            running = self._runs.start(self._resumed(order), progress.watch if progress else None, meter)
        running.join()
        try:
            if request.stream:
                await Streamed(
                    send, running, progress, request.model, plan.spec, chat=chat,
                    direct=plan.strategy.name == SINGLE, usage=request.include_usage,
                ).run(receive)  # fmt: skip
            else:
                answer = await while_connected(receive, _result(running))
                await self._give(send, answer, request.model, plan, running.meter, chat=chat)
        finally:
            await running.leave()

    def _order(
        self, chosen: Chosen, plan: Plan, request: Any, options: Mapping[str, Any], body: bytes,
        key: Key, scope: Scope,
    ) -> Order:  # fmt: skip
        chat = isinstance(request, ChatRequest)
        _refuse_verifier(request.ponder)
        if Capability.CONTINUE in plan.needs:
            for name in _FOR_WHOLE_REPLIES:
                if name in options:
                    raise BadRequest(f"{name}: {plan.strategy.name} cuts replies into stretches; use another", name)
        backend = self._models.backend(chosen.served, "chat" if chat else "text")
        price = self._models.price(chosen.served)
        budget = _budget(request, scope)
        asked = request.ponder
        ask = Ask(
            upstream=chosen.served.upstream.name, prompt_bytes=len(body), strategy=plan.spec,
            max_tokens=request.limit, budget=budget, price=price, verifier=asked.verifier if asked else None,
        )  # fmt: skip

        def job(permit: Permit) -> Job:
            return Job(
                messages=messages_of(request, body),
                strategy=plan.spec,
                model=backend.name,
                settings=_settings(request, options, permit.max_tokens or self._config.defaults.max_tokens),
                seed=secrets.randbits(31) if request.seed is None else request.seed,
                budget=permit.budget,
                price=price,
                verifier=asked.verifier if asked else None,
                owner=key.name,
                asked=digest,
            )

        digest = hashlib.sha256(scope["path"].encode() + b"\n" + body).hexdigest()
        run = _named(key, header(scope, b"idempotency-key"))
        return Order(ask=ask, key=key, plan=plan, backend=backend, job=job, asked=digest, run=run)

    def _earlier(self, order: Order, meter: Meter) -> Running | Finished | None:
        """The run that an earlier request with the same ``Idempotency-Key`` has begun, or its answer.

        Raises:
            Refused: that request was another one.
        """
        if order.run is None:
            return None
        running = self._runs.named(order.run)
        row = None if running else find_run(self._store, order.run)
        asked = running.order.asked if running else row.job["asked"] if row else order.asked
        if asked != order.asked:
            raise Refused(422, "idempotency_mismatch", "this Idempotency-Key was used for another request")
        if row is not None and row.status == "done" and row.answer is not None:
            return Finished(Answer.from_dict(row.answer), meter)
        return running

    def _resumed(self, order: Order) -> Order:
        """The order, to go on where an earlier life of its run was cut off, if it had one."""
        row = find_run(self._store, order.run) if order.run else None
        if row is None:
            return order
        job = Job.from_dict(row.job)
        return replace(order, job=lambda permit: job, resumes=True)

    async def _give(self, send: Send, answer: Answer, model: str, plan: Plan, meter: Meter, *, chat: bool) -> None:
        summary = reply.summary_of(answer, plan.spec, meter.overhead_ms)
        await send_json(send, 200, reply.body_of(answer, model, summary, chat=chat), reply.headers_of(summary))


def _refuse_verifier(asked: Ponder | None) -> None:
    """The other verifiers need a reference, read files, or run code: nothing that a client may have done."""
    if asked is not None and asked.verifier is not None and _CHECKS_ITSELF.fullmatch(asked.verifier) is None:
        raise BadRequest(
            f"verifier {asked.verifier!r:.80} cannot be used in a request; p-yes can, and p-yes(k=4)", "ponder"
        )


def _named(key: Key, name: str | None) -> str | None:
    """The id of the run that a client calls `name`; each key has names of its own."""
    return hashlib.sha256(f"{key.name}\n{name}".encode()).hexdigest()[:24] if name else None


async def _result(running: Running | Finished) -> Answer:
    # The run outlives a client that goes away while others wait for it.
    return await asyncio.shield(running.task)


def _settings(request: Any, options: Mapping[str, Any], max_tokens: int) -> Settings:
    usual = Settings()
    return Settings(
        max_tokens=max_tokens,
        temperature=usual.temperature if request.temperature is None else request.temperature,
        top_p=usual.top_p if request.top_p is None else request.top_p,
        options=options,
    )


def _budget(request: Any, scope: Scope) -> Budget:
    """What the client allows: the smallest deadline of those that it names."""
    asked = request.ponder
    budget = Budget.parse(asked.budget) if asked and asked.budget else Budget()
    deadlines = [budget.seconds, asked.seconds if asked else None, _deadline(scope)]
    seconds = min((deadline for deadline in deadlines if deadline is not None), default=None)
    return replace(budget, seconds=seconds)


def _deadline(scope: Scope) -> float | None:
    text = header(scope, b"x-ponder-deadline")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise BadRequest(f"x-ponder-deadline: {text!r:.40} is no number of seconds up to 86,400", "x-ponder-deadline")
    return seconds
