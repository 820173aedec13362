"""The endpoints for the operator: who may read them, and what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ponder.backends.scripted import Scripted
from ponder.gateway.accounts.keys import new_key
from ponder.gateway.accounts.sqlite import SqliteAccounts
from ponder.gateway.admission.gate import Admission
from ponder.gateway.operations.endpoints import Operated
from ponder.gateway.operations.retention import StoreSize
from ponder.gateway.settings import Config
from ponder.gateway.upstreams.routes import Routes
from ponder.store.sqlite import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "runs.db")
    yield made
    made.close()


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def app(store: Store) -> Operated:
    config = Config()
    admission = Admission(config, SqliteAccounts(store))
    routes, embedded = Routes(config), {"local": Scripted(["Hi"])}
    return Operated(
        inner, config=config, store=store, admission=admission, routes=routes, embedded=embedded, size=StoreSize()
    )


async def get(app: Operated, path: str, token: str = "", method: str = "GET") -> tuple[int, str]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    await app({"type": "http", "path": path, "method": method, "headers": headers}, receive, send)
    await asyncio.sleep(0)  # it is reported after the answer
    return sent[0]["status"], sent[1]["body"].decode()


async def test_an_open_gateway_shows_everybody_its_state(app: Operated) -> None:
    assert json.loads((await get(app, "/ready"))[1]) == {"ready": True, "reasons": []}
    status, body = await get(app, "/health")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    await get(app, "/nowhere")
    status, page = await get(app, "/metrics")
    assert status == 200
    assert 'ponder_requests_total{endpoint="other",key="",status="404",strategy="",upstream=""} 1.0' in page


async def test_what_machines_ask_for_every_few_seconds_is_not_counted(app: Operated) -> None:
    for path in ("/health", "/ready", "/metrics", "/nowhere"):
        await get(app, path)
    _, page = await get(app, "/metrics")
    counted = [line.split()[-1] for line in page.splitlines() if line.startswith("ponder_requests_total{")]
    assert counted == ["1.0"]


async def test_with_keys_the_metrics_are_for_one_of_them(app: Operated, store: Store) -> None:
    tokens = {}
    for name in ("alice", "metrics"):
        tokens[name], row = new_key(name)
        await SqliteAccounts(store).add_key(row)
    assert (await get(app, "/metrics"))[0] == 401
    assert (await get(app, "/metrics", tokens["alice"]))[0] == 403
    assert (await get(app, "/metrics", tokens["metrics"]))[0] == 200
    assert (await get(app, "/health"))[0] == (await get(app, "/ready"))[0] == 200


async def test_only_looking_is_allowed(app: Operated) -> None:
    assert (await get(app, "/health", method="POST"))[0] == 405
    assert await get(app, "/ready", method="HEAD") == (200, "")


async def test_metrics_without_a_store_are_an_error_of_the_api(app: Operated, store: Store) -> None:
    store.close()
    status, body = await get(app, "/metrics", "pk-0123456789abcdef-nobody")
    assert status == 503
    assert json.loads(body)["error"]["code"] == "store_error"
