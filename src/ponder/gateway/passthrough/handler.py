"""Requests that pass through: to the model's upstream, or to what stands in for it."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ponder.backends.openai.counts import ceiling
from ponder.core.budget import Budget
from ponder.core.errors import BackendError
from ponder.core.text.quoting import quoted
from ponder.gateway.admission.gate import Admission, Ask, Permit
from ponder.gateway.errors import Refused
from ponder.gateway.http.asgi import Scope, Send, deadline_of
from ponder.gateway.passthrough.forward import Passthrough
from ponder.gateway.passthrough.relay import Passing, Relayed
from ponder.gateway.passthrough.reply_count import choices_of, whole
from ponder.gateway.request_record import record
from ponder.gateway.settings import Key
from ponder.gateway.upstreams.models import Models, Served
from ponder.gateway.upstreams.routes import Route, Routes
from ponder.gateway.wire.fields import Head, images_in
from ponder.gateway.wire.reading import Body

__all__ = ["EMBEDDINGS", "Passed", "Received"]

EMBEDDINGS = "/embeddings"

_LIMITS = ("max_tokens", "max_completion_tokens", "n_predict")


class Received(msgspec.Struct, frozen=True):
    """What a client has sent to the endpoint `path`; `began` is when, by the monotonic clock."""

    head: Head
    body: Body
    path: str
    key: Key
    scope: Scope
    began: float


class Passed:
    """Answers requests by what an upstream says, byte for byte."""

    def __init__(self, admission: Admission, routes: Routes, models: Models, passthrough: Passthrough) -> None:
        self._admission = admission
        self._routes = routes
        self._models = models
        self._passthrough = passthrough

    async def answer(self, served: Served, received: Received, send: Send) -> None:
        """Carry out one request.

        Raises:
            BadRequest: the deadline is none.
            Refused: it is not let in.
            BackendError: the upstream failed, and so did what was to take its place.
        """
        route = self._routes.first(served.upstream.name, served.model, received.key.name)
        tried_for = 0.0
        while True:
            try:
                return await self._attempt(route, received, send, tried_for)
            except BackendError as error:
                try:
                    route = self._routes.instead(route, error)
                except BackendError:
                    route = msgspec.structs.replace(route, single=True)
                if route.single:  # it was a single pass already
                    if isinstance(error, Relayed):
                        return await error.send(send)
                    raise
            tried_for = time.monotonic() - received.began

    async def _attempt(self, route: Route, received: Received, send: Send, tried_for: float) -> None:
        head, body, served = received.head, received.body.data, self._models.at(route)
        record().model, record().upstream = served.model, route.upstream
        price = self._models.price(served)
        ask = Ask(
            upstream=route.upstream, prompt_bytes=len(body), n=choices_of(head.n, head.best_of, head.prompt),
            max_tokens=_limit(head, received.path), price=price, budget=Budget(seconds=deadline_of(received.scope)),
            images=images_in(received.body.fields) if price else 0, tried_for=tried_for,
        )  # fmt: skip
        async with self._admission.admit(received.key, ask) as permit:
            changes: dict[str, Any] = {} if route.model == head.model else {"model": route.model}
            if permit.max_tokens != ask.max_tokens:
                changes["max_tokens"] = permit.max_tokens
            streams = received.path != EMBEDDINGS and _streams(head)
            options = head.stream_options or {}
            hides_usage = streams and permit.counts and isinstance(options, dict) and not options.get("include_usage")
            if hides_usage:  # what the upstream does not count could not be booked right
                changes["stream_options"] = {**options, "include_usage": True}
            if changes:
                body = msgspec.json.encode(received.body.fields | changes)
            headers = {"x-ponder-fallback": route.header} if route.header else {}
            seconds = permit.budget.seconds
            passing = Passing(
                received.path, body, streams, self._routes.breakers[route.upstream], price,
                None if seconds is None else received.began + seconds, hides_usage,
                choices_of(head.n, prompt=head.prompt), ask.n * ceiling(_most(permit, ask, served)), headers,
            )  # fmt: skip
            await self._passthrough.forward(served, passing, received.scope, send, permit)


def _most(permit: Permit, ask: Ask, served: Served) -> int:
    """The tokens that one reply may have: what it was told to, or else what was reserved for it."""
    told = ask.max_tokens if permit.max_tokens is None else permit.max_tokens
    return served.upstream.max_tokens if told is None else told


def _limit(head: Head, path: str) -> int | None:
    """The longest reply that an upstream may make of it, in tokens; what llama.cpp calls ``n_predict`` counts, too.

    Raises:
        Refused: a limit is no whole number, or there are two of them.
    """
    if path == EMBEDDINGS:
        return 0  # nothing is written
    given = {name: limit for name in _LIMITS if (limit := whole(name, getattr(head, name))) is not None}
    if path == "/completions":
        given.pop("max_completion_tokens", None)  # it has no such field
    if len(set(given.values())) > 1:
        raise Refused(400, "invalid_request", f"{' and '.join(given)} say different things; give one of them")
    return next(iter(given.values()), None)


def _streams(head: Head) -> bool:
    """Whether it asks for a stream.

    Raises:
        Refused: it does not say so clearly: what one server takes for true another takes for false.
    """
    if head.stream is not None and not isinstance(head.stream, bool):
        raise Refused(400, "invalid_request", f"stream={quoted(head.stream)} is neither true nor false")
    return bool(head.stream)
