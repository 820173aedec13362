"""What the operator sees of a gateway: ``/health``, ``/ready``, ``/metrics``, and a line in the log a request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from ponder.core.backend import Backend
from ponder.core.errors import PonderError
from ponder.gateway.accounts.keys import ANONYMOUS
from ponder.gateway.admission.gate import Admission, Refused
from ponder.gateway.http.asgi import Receive, Scope, Send, header, send_failure, token_of
from ponder.gateway.http.error_replies import Failure, failure_of
from ponder.gateway.operations.health import Health
from ponder.gateway.operations.logs import log_request
from ponder.gateway.operations.metrics import Metrics
from ponder.gateway.operations.observed import Observed
from ponder.gateway.operations.retention import StoreSize
from ponder.gateway.request_record import Record
from ponder.gateway.settings import Config
from ponder.gateway.telemetry.traces import traced
from ponder.gateway.upstreams.routes import Routes
from ponder.store.base import RunStore

__all__ = ["METRICS_KEY", "Operated"]

METRICS_KEY = "metrics"
"""The name of the key that may read the metrics, which tell what each of the others has spent."""


class Operated:
    """An ASGI application around the gateway's own; `embedded` holds the models in this process, by upstream.

    ``/health`` and ``/ready`` are for everybody. ``/metrics`` is, too, where the gateway asks for no key; otherwise it
    is for the key that is called `METRICS_KEY`.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], *, config: Config, store: RunStore, admission: Admission,
        routes: Routes, embedded: Mapping[str, Backend], size: StoreSize,
    ) -> None:  # fmt: skip
        self._app = Observed(traced(app), self._report)
        self._admission = admission
        self._metrics = Metrics(admission.queue, routes.breakers, size)
        self._health = Health(config, store, admission.queue, routes, embedded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path not in ("/health", "/ready", "/metrics"):
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await send_failure(
                send, Failure(405, f"{path}: only GET", "no_such_endpoint", headers={"allow": "GET, HEAD"})
            )
            return
        try:
            status, kind, body = await self._look(path, scope)
        except PonderError as error:  # the key is refused, or cannot be looked up
            await send_failure(send, failure_of(error))
            return
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _look(self, path: str, scope: Scope) -> tuple[int, str, bytes]:
        if path == "/metrics":
            key = await self._admission.identify(token_of(scope))
            if key.name not in (ANONYMOUS, METRICS_KEY):
                raise Refused(403, "not_your_metrics", f"the metrics are for the key {METRICS_KEY!r}")
            page, kind = self._metrics.page(header(scope, b"accept") or "")
            return 200, kind, page
        status, body = self._health.ready() if path == "/ready" else await self._health.health()
        return status, "application/json", json.dumps(body).encode()

    def _report(self, made: Record) -> None:
        log_request(made)
        self._metrics.observe(made)
