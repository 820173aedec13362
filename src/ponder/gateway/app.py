"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from ponder.core.backend import Backend
from ponder.core.errors import PonderError
from ponder.core.text.quoting import one_line
from ponder.gateway.accounts.opening import accounts_in
from ponder.gateway.admission.gate import Admission
from ponder.gateway.choosing import choose, embedding, model_of
from ponder.gateway.cors import allowing
from ponder.gateway.http.asgi import Receive, Scope, Send, read_body, send_failure, send_json, token_of
from ponder.gateway.http.body_memory import Bodies
from ponder.gateway.http.disconnect import WhileConnected
from ponder.gateway.http.error_replies import Failure, failure_of
from ponder.gateway.operations.endpoints import Operated
from ponder.gateway.operations.health import try_engine
from ponder.gateway.operations.retention import Retention
from ponder.gateway.passthrough.forward import Passthrough
from ponder.gateway.passthrough.handler import EMBEDDINGS, Passed, Received
from ponder.gateway.scaled.describe_run import describe_run
from ponder.gateway.scaled.handler import Scaled
from ponder.gateway.scaled.recovery import Recovery
from ponder.gateway.scaled.runs import Runs
from ponder.gateway.settings import Config
from ponder.gateway.upstreams.metered import Meter
from ponder.gateway.upstreams.models import Models
from ponder.gateway.upstreams.routes import Routes
from ponder.gateway.wire.fields import ChatRequest, TextRequest, read_head, read_ponder
from ponder.gateway.wire.openapi import document
from ponder.gateway.wire.reading import Reader
from ponder.store.base import RunStore

__all__ = ["Gateway", "application"]

_ENVELOPE = 65_536
"""Bytes of a body that are no prompt."""


class Gateway:
    """Everything that the endpoints share. `embedded` holds the models in this process, by upstream."""

    def __init__(self, config: Config, store: RunStore, embedded: Mapping[str, Backend]) -> None:
        self.config = config
        self.store = store
        self.accounts = accounts_in(store)
        self.admission = Admission(config, self.accounts)
        self.routes = Routes(config)
        self.models = Models(config, embedded, self.routes.breakers)
        self.runs = Runs(self.admission, self.routes, store)
        self.recovery = Recovery(store, self.admission)
        self.retention = Retention(config.kept, store)
        self.scaled = Scaled(config, self.models, self.routes, store, self.runs, self.recovery)
        self.embedded = embedded
        self.passthrough = Passthrough()
        self.passed = Passed(self.admission, self.routes, self.models, self.passthrough)
        self.longest = _ENVELOPE + max(
            caps.prompt_bytes for caps in (config.caps, *(key.caps for key in config.keys.values()))
        )
        self.reader = Reader()
        self.bodies = Bodies(self.longest * max(2, config.branches + config.queue))

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """Open what belongs to the event loop; at the end stop what is under way, and close it."""
        with suppress(PonderError):  # which `/health` tells
            await try_engine()  # a first run imports much, and would keep all requests waiting
        beside = [asyncio.create_task(one.watch()) for one in (self.recovery, self.retention)]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            self.admission.close()
            await self.runs.stop()
            self.passthrough.close()
            await self.models.aclose()
            await self.accounts.aclose()
            self.reader.close()


class _Completions:
    """``POST /v1/chat/completions``, ``/v1/completions`` and ``/v1/embeddings``, which is of no `kind`."""

    def __init__(self, gateway: Gateway, path: str, kind: type[ChatRequest] | type[TextRequest] | None) -> None:
        self._gateway = gateway
        self._path = path
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._serve(scope, receive, send)
        except ConnectionResetError:
            return  # nobody is there to be told
        except Exception as error:  # noqa: BLE001 - the last place where a client can be told
            await send_failure(send, failure_of(error))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway, meter, began = self._gateway, Meter(), time.monotonic()
        key = await gateway.admission.identify(token_of(scope))
        await gateway.admission.take_turn(key)
        with gateway.bodies.of(key.name) as take:
            body = await gateway.reader.read(await read_body(receive, gateway.longest, take), key.name)
            head = read_head(body.fields)
            if self._kind is None:
                served = embedding(head, gateway.models)
            else:
                chosen = choose(head, read_ponder(head), gateway.models, gateway.config, key)
                if chosen.plan is not None:
                    await gateway.scaled.answer(chosen, chosen.plan, body, self._kind, key, scope, send, meter)
                    return
                served = chosen.served
            with WhileConnected(scope):
                received = Received(head, body, self._path, key, scope, began)
                await gateway.passed.answer(served, received, send)


class _Look:
    """An endpoint that shows something, as JSON."""

    def __init__(self, find: Callable[[Scope], Awaitable[Any]]) -> None:
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send_json(send, 200, await self._find(scope))
        except Exception as error:  # noqa: BLE001 - the last place where a client can be told
            await send_failure(send, failure_of(error))


def application(gateway: Gateway) -> Callable[..., Awaitable[None]]:
    """Everything that it serves."""

    async def models(scope: Scope) -> Any:
        await gateway.admission.identify(token_of(scope))
        names = await gateway.models.listed()
        return {"object": "list", "data": [_described(name) for name in names]}

    async def model(scope: Scope) -> Any:
        await gateway.admission.identify(token_of(scope))
        name = scope["path_params"]["id"]
        await model_of(name, gateway.models)
        return _described(name)

    async def run(scope: Scope) -> Any:
        key = await gateway.admission.identify(token_of(scope))
        return describe_run(gateway.store, scope["path_params"]["id"], key)

    async def described(scope: Scope) -> Any:
        return document(keyed=await gateway.admission.asks_for_a_key())

    completions = _Completions(gateway, "/chat/completions", ChatRequest)
    texts = _Completions(gateway, "/completions", TextRequest)
    embeddings = _Completions(gateway, EMBEDDINGS, None)
    routes = [
        Route("/v1/chat/completions", completions, methods=["POST"]),
        Route("/v1/completions", texts, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/v1/models", _Look(models), methods=["GET"]),
        Route("/v1/models/{id:path}", _Look(model), methods=["GET"]),
        Route("/v1/runs/{id}", _Look(run), methods=["GET"]),
        Route("/openapi.json", _Look(described), methods=["GET"]),
    ]
    router = Router(routes, redirect_slashes=False, lifespan=gateway.lifespan)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = router  # so that it raises what it refuses
        try:
            await router(scope, receive, send)
        except HTTPException as error:
            message = f"{scope['method']} {one_line(scope['path'])}: {error.detail}"
            await send_failure(
                send, Failure(error.status_code, message, "no_such_endpoint", headers=dict(error.headers or {}))
            )

    async def without_slash(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":  # served as without it: a redirect would go where the client's Host header says
            scope["path"] = scope["path"].rstrip("/") or "/"
        await operated(scope, receive, send)

    operated = Operated(
        routed, config=gateway.config, store=gateway.store, admission=gateway.admission, routes=gateway.routes,
        embedded=gateway.embedded, size=gateway.retention.size,
    )  # fmt: skip
    return allowing(without_slash, gateway.config.origins)


def _described(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": 0, "owned_by": "ponder"}
