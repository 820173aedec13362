"""From a request to the run that answers it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ponder.api import Job
from ponder.core.backend import Capability
from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption
from ponder.core.methods.registry import Plan
from ponder.core.settings import Settings
from ponder.engine.methods import parse_spec
from ponder.gateway.admission.fanout import checks_of
from ponder.gateway.admission.gate import Ask, Permit
from ponder.gateway.errors import BadRequest
from ponder.gateway.http.asgi import Scope, deadline_of, header
from ponder.gateway.request_record import record
from ponder.gateway.scaled.runs import Attempt, Order
from ponder.gateway.settings import SINGLE, Config, Key
from ponder.gateway.upstreams.models import Models
from ponder.gateway.upstreams.routes import Route
from ponder.gateway.wire.bounds import NAME
from ponder.gateway.wire.fields import ChatRequest, Ponder, TextRequest, images_in, messages_of
from ponder.gateway.wire.reading import Body

__all__ = ["Request", "order_of"]

_FOR_WHOLE_REPLIES = ("tools", "response_format")
"""Options that a method which cuts replies into stretches cannot honour."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client has sent: the `fields` that were read, the `options` that go on, and all of it, the `body`."""

    fields: ChatRequest | TextRequest
    options: Mapping[str, Any]
    body: Body
    scope: Scope

    @property
    def chat(self) -> bool:
        """True for a chat completion, false for a text completion."""
        return isinstance(self.fields, ChatRequest)


def order_of(request: Request, plan: Plan, route: Route, key: Key, models: Models, config: Config) -> Order:
    """The order for a request: `plan` in front of the model at the end of `route`, or of what takes its place.

    Raises:
        BadRequest: the plan cannot honour a field, or a header is none.
        InvalidOption: the budget is none.
    """
    _refuse_verifier(request.fields.ponder)
    if Capability.CONTINUE in plan.needs:
        for name in _FOR_WHOLE_REPLIES:
            if request.options.get(name) not in (None, [], {"type": "text"}):
                raise BadRequest(f"{name}: {plan.strategy.name} cuts replies into stretches; use another", name)
    budget = _budget(request)
    asked = hashlib.sha256(f"{request.scope['path']}\n{request.body.digest}".encode()).hexdigest()

    def attempt(route: Route) -> Attempt:
        return _attempt(
            request, parse_spec(SINGLE) if route.single else plan, route, budget, asked, key, models, config
        )

    return Order(
        key=key, route=route, attempt=attempt, asked=asked, run=_named(key, header(request.scope, b"idempotency-key"))
    )


def _attempt(
    request: Request, plan: Plan, route: Route, budget: Budget, asked: str, key: Key, models: Models, config: Config
) -> Attempt:
    fields, served = request.fields, models.at(route)
    backend = models.backend(served, "chat" if request.chat else "text")
    price = models.price(served)
    verifier = fields.ponder.verifier if fields.ponder else None
    record().model, record().upstream, record().strategy = served.model, route.upstream, plan.strategy.name
    ask = Ask(
        upstream=route.upstream, prompt_bytes=len(request.body.data), strategy=plan.spec, verifier=verifier,
        max_tokens=fields.limit, budget=budget, price=price, images=images_in(request.body.fields) if price else 0,
    )  # fmt: skip

    def job(permit: Permit) -> Job:
        return Job(
            messages=messages_of(fields, request.body.fields),
            strategy=plan.spec,
            model=backend.name,
            settings=_settings(request, permit.max_tokens or config.defaults.max_tokens),
            seed=secrets.randbits(31) if fields.seed is None else fields.seed,
            seeded=fields.seed is not None,
            budget=permit.budget,
            price=price,
            verifier=verifier,
            owner=key.name,
            asked=asked,
        )

    return Attempt(ask=ask, plan=plan, backend=backend, job=job)


def _settings(request: Request, max_tokens: int) -> Settings:
    fields = request.fields
    return Settings(
        max_tokens=max_tokens,
        temperature=fields.temperature,
        top_p=fields.top_p,
        limit_name=fields.limit_name,
        options=request.options,
    )


def _budget(request: Request) -> Budget:
    """What the client allows: the smallest deadline of those that it names."""
    asked = request.fields.ponder
    budget = Budget.parse(asked.budget) if asked and asked.budget else Budget()
    deadlines = [budget.seconds, asked.seconds if asked else None, deadline_of(request.scope)]
    return replace(budget, seconds=min((one for one in deadlines if one is not None), default=None))


def _refuse_verifier(asked: Ponder | None) -> None:
    """Raise if it is not one that a request may name, also where the strategy has no use for it."""
    if asked is not None and asked.verifier is not None:
        try:
            checks_of(asked.verifier)
        except InvalidOption as error:
            raise BadRequest(str(error), "ponder") from None


def _named(key: Key, name: str | None) -> str | None:
    """The id of the run that a client calls `name`; each key has names of its own.

    Raises:
        BadRequest: the name is too long for one.
    """
    if name and len(name) > NAME:
        raise BadRequest(f"Idempotency-Key has {len(name):,} characters; at most {NAME} are taken", "Idempotency-Key")
    return hashlib.sha256(f"{key.name}\n{name}".encode()).hexdigest()[:24] if name else None
