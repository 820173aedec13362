"""Requests that a strategy answers."""

from __future__ import annotations

import asyncio
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
from ponder.gateway.admission import Ask, Permit
from ponder.gateway.choose import SINGLE, Chosen
from ponder.gateway.config import Config
from ponder.gateway.failures import BadRequest
from ponder.gateway.http import Receive, Scope, Send, header, send_json, while_connected
from ponder.gateway.metered import Meter
from ponder.gateway.models import Models
from ponder.gateway.progress import Progress
from ponder.gateway.running import Order, Running, Runs
from ponder.gateway.stream import Streamed
from ponder.gateway.wire import ChatRequest, TextRequest, messages_of, read
from ponder.store.sqlite import Store

__all__ = ["Scaled"]

_FOR_WHOLE_REPLIES = ("tools", "response_format")
"""Options that a method which cuts replies into stretches cannot honour."""


class Scaled:
    """Answers requests by runs, which are journalled in the store."""

    def __init__(self, config: Config, models: Models, store: Store, runs: Runs) -> None:
        self._config = config
        self._models = models
        self._store = store
        self._runs = runs

    async def answer(
        self, chosen: Chosen, plan: Plan, body: bytes, kind: type[ChatRequest] | type[TextRequest],
        token: str | None, scope: Scope, receive: Receive, send: Send, meter: Meter,
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
        order = self._order(chosen, plan, request, options, body, token, scope)
        if order.run is not None and (earlier := self._answered(order.run, body)) is not None:
            await self._give(send, earlier, request.model, plan, meter, chat=chat)
            return
        progress = Progress() if request.stream else None
        running = self._runs.named(order.run) if order.run else None
        running = running or self._runs.start(order, progress.watch if progress else None, meter)
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
        token: str | None, scope: Scope,
    ) -> Order:  # fmt: skip
        chat = isinstance(request, ChatRequest)
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
            )

        return Order(ask=ask, token=token, plan=plan, backend=backend, job=job)

    def _answered(self, run: str, body: bytes) -> Answer | None:
        return None

    async def _give(self, send: Send, answer: Answer, model: str, plan: Plan, meter: Meter, *, chat: bool) -> None:
        summary = reply.summary_of(answer, plan.spec, meter.overhead_ms)
        await send_json(send, 200, reply.body_of(answer, model, summary, chat=chat), reply.headers_of(summary))


async def _result(running: Running) -> Answer:
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
