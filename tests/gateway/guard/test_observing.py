"""What is told of requests: one JSON line and a few counts each, and never a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ponder.backends.scripted import Scripted
from ponder.core.bill import Bill
from ponder.core.errors import Unreachable
from ponder.gateway.accounts.keys import new_key
from ponder.gateway.accounts.sqlite import SqliteAccounts
from ponder.gateway.admission.gate import Admission, Ask, Refused
from ponder.gateway.http.error_replies import failure_of
from ponder.gateway.operations.health import Health
from ponder.gateway.operations.logs import log_request, set_up
from ponder.gateway.operations.metrics import Metrics
from ponder.gateway.operations.observed import Observed
from ponder.gateway.operations.retention import StoreSize
from ponder.gateway.request_record import Record, record
from ponder.gateway.settings import Caps, Config, Upstream
from ponder.gateway.upstreams.breaker import THRESHOLD
from ponder.gateway.upstreams.routes import Routes
from ponder.store.sqlite import Store
from tests.servers.chat import ChatServer, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("ponder", "uvicorn")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    set_up(Config(upstreams={"a": Upstream(name="a", url="http://a/v1", key_env="PONDER_TEST_KEY")}), stream)
    yield stream
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """The samples that are not zero: (name, values of the labels, which are in alphabetical order) -> value."""
    text = metrics.page()[0].decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value and not sample.name.endswith(("_created", "_bucket"))
    }


async def call(app: Observed, path: str, *, method: str = "POST") -> None:
    """One request to an ASGI application, whose answer nobody reads."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    await app({"type": "http", "path": path, "method": method, "headers": []}, receive, send)
    await asyncio.sleep(0)  # it is reported after the answer


class App:
    """An application that lets a request in and answers it, with what a strategy had to do elsewhere."""

    def __init__(self, admission: Admission, token: str | None, ask: Ask) -> None:
        self.admission = admission
        self.token = token
        self.ask = ask

    async def work(self) -> None:
        async with self.admission.admit(self.token, self.ask) as permit:
            permit.settle(Bill(prompt_tokens=5, output_tokens=30, probe_tokens=4, usd=0.25))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.create_task(self.work())
        except Refused as refused:
            await send({"type": "http.response.start", "status": failure_of(refused).status, "headers": []})
            return
        headers = [(b"x-ponder-run", b"ab12"), (b"x-ponder-fallback", b"single; instead-of=a")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[SqliteAccounts]:
    store = Store(tmp_path / "runs.db")
    yield SqliteAccounts(store)
    store.close()


async def test_a_request_is_one_line_and_a_few_counts(accounts: SqliteAccounts, log: io.StringIO) -> None:
    token, row = new_key("alice")
    await accounts.add_key(row)
    config = Config(caps=Caps(n=8))
    admission, routes = Admission(config, accounts), Routes(config)
    metrics = Metrics(admission.queue, routes.breakers, StoreSize())

    def report(made: Record) -> None:
        log_request(made)
        metrics.observe(made)

    ask = Ask(upstream="local", prompt_bytes=10, strategy="self-consistency(n=4)", max_tokens=100)
    await call(Observed(App(admission, token, ask), report), "/v1/chat/completions")
    await call(Observed(App(admission, "pk-wrong", ask), report), "/v1/chat/completions?key=pk")
    greedy = Ask(upstream="local", prompt_bytes=10, n=9)
    await call(Observed(App(admission, token, greedy), report), "/v1/completions")
    first, second, third = lines(log)
    assert first == {
        **first, "level": "info", "run": "ab12", "key": "alice", "method": "POST", "endpoint": "/v1/chat/completions",
        "upstream": "local", "strategy": "self-consistency", "fallback": "single; instead-of=a", "status": 200,
        "prompt_tokens": 5, "tokens": 34, "usd": 0.25,
    }  # fmt: skip
    assert (second["status"], second["code"], second["endpoint"]) == (401, "invalid_api_key", "other")
    assert (third["key"], third["status"], third["code"]) == ("alice", 400, "cap_exceeded")
    found = samples(metrics)
    chat = "/v1/chat/completions"
    assert found["ponder_requests_total", chat, "alice", "200", "self-consistency", "local"] == 1
    assert found["ponder_tokens_total", "alice", "probe", "self-consistency"] == 4
    assert found["ponder_usd_total", "alice", "self-consistency"] == 0.25
    assert found["ponder_request_seconds_count", chat, "self-consistency"] == 1
    assert found["ponder_errors_total", "cap_exceeded", "alice"] == 1
    assert token not in log.getvalue() + metrics.page()[0].decode()


async def test_the_queue_and_the_breakers_show_as_they_are() -> None:
    config = Config(branches=4)
    admission, routes = Admission(config), Routes(config)
    metrics = Metrics(admission.queue, routes.breakers, StoreSize(bytes=7, free=9))
    for key in ("a", "a", "a", "b", "b"):
        with pytest.raises(Unreachable), routes.breakers["local"].call(key):
            raise Unreachable("gone", 500)
    async with admission.queue.slots("a", 3):
        waiting = asyncio.create_task(admission.queue.slots("b", 2).__aenter__())
        await asyncio.sleep(0)
        found = samples(metrics)
        waiting.cancel()
    assert found == {
        ("ponder_branches",): 3, ("ponder_queue_waiting",): 1, ("ponder_breaker_state", "local"): 2,
        ("ponder_store_bytes",): 7, ("ponder_store_free_bytes",): 9,
        ("ponder_upstream_failures_total", "a", "status", "local"): 3,
        ("ponder_upstream_failures_total", "b", "status", "local"): 2,
    }  # fmt: skip


async def test_a_client_that_goes_away_leaves_a_line_too(log: io.StringIO) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        record().model = "qwen3-8b"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await call(Observed(app, log_request), "/v1/chat/completions")
    await asyncio.sleep(0)
    [line] = lines(log)
    assert (line["status"], line["model"]) == (499, "qwen3-8b")


def test_what_a_fallback_costs_comes_on_top() -> None:
    made = Record()
    made.book(Bill(output_tokens=3, calls=1, usd=0.5))
    made.book(Bill(output_tokens=4, calls=2, usd=0.25))
    assert made.bill == Bill(output_tokens=7, calls=3, usd=0.75)
    made.book(Bill(output_tokens=1))
    assert made.bill == Bill(output_tokens=8, calls=3, usd=None)


async def test_any_path_and_method_has_one_of_a_few_names(log: io.StringIO) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})

    for path in ("/", "/v1/runs/ab12", "/v1/modelsx", "/\n"):
        await call(Observed(app, log_request), path, method="BREW")
    assert [line["endpoint"] for line in lines(log)] == ["other", "/v1/runs", "other", "other"]
    assert {line["method"] for line in lines(log)} == {"other"}


def test_secrets_never_reach_the_log(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PONDER_TEST_KEY", "hunter2hunter2")
    set_up(Config(upstreams={"a": Upstream(name="a", url="http://a/v1", key_env="PONDER_TEST_KEY")}), log)
    token, _ = new_key("alice")
    logger = logging.getLogger("ponder.gateway")
    try:
        raise ValueError(f"refused {token} and hunter2hunter2")
    except ValueError:
        logger.exception("with Authorization: Bearer abcdef and %s", token)
    log_request(Record(model=f"{token}\nhunter2hunter2"))
    text = log.getvalue()
    assert text.count("\n") == 2
    assert "ValueError" in text
    for secret in ("hunter2", token, token.split("-", 2)[2], "abcdef"):
        assert secret not in text


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with running() as made:
        yield made


async def test_health_tries_the_engine_the_store_and_every_upstream(tmp_path: Path, server: ChatServer) -> None:
    store = Store(tmp_path / "runs.db")
    config = Config(
        upstreams={
            "embedded": Upstream(name="embedded", url="local/x"),
            "alive": Upstream(name="alive", url=server.url),
            "dead": Upstream(name="dead", url="http://127.0.0.1:9/v1"),
        }
    )
    queue, routes = Admission(config).queue, Routes(config)
    health = Health(config, store, queue, routes, {"embedded": Scripted(["Hi"])})
    status, body = await health.health()
    assert (status, body["status"]) == (200, "degraded")
    assert body["engine"]["status"] == body["store"]["status"] == "ok"
    assert [body["upstreams"][name]["status"] for name in ("embedded", "alive", "dead")] == ["ok", "ok", "failed"]
    assert "127.0.0.1" not in json.dumps(body)
    assert await health.health() == (status, body), "asked again within moments, nothing is tried again"
    store.close()


async def test_health_is_down_when_the_store_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    config = Config()
    health = Health(config, store, Admission(config).queue, Routes(config), {"local": Scripted(["Hi"])})
    store.close()
    status, body = await health.health()
    assert (status, body["status"], body["store"]["status"]) == (503, "down", "failed")


async def test_a_server_that_no_longer_answers_one_key_is_probed_for_all(tmp_path: Path, server: ChatServer) -> None:
    store = Store(tmp_path / "runs.db")
    config = Config(
        upstreams={
            "alive": Upstream(name="alive", url=server.url), "dead": Upstream(name="dead", url="http://127.0.0.1:9/v1")
        }
    )  # fmt: skip
    admission, routes = Admission(config), Routes(config)
    health = Health(config, store, admission.queue, routes, {})
    for breaker in routes.breakers.values():
        for _ in range(THRESHOLD):
            with pytest.raises(Unreachable), breaker.call("alice"):
                raise Unreachable("gone")
    await asyncio.gather(*health._looks.values())
    found = samples(Metrics(admission.queue, routes.breakers, StoreSize()))
    assert found["ponder_breaker_state", "dead"] == 2
    assert ("ponder_breaker_state", "alive") not in found
    assert found["ponder_breaker_keys", "alive"] == 1
    store.close()


async def test_it_is_ready_until_it_shuts_down_or_no_upstream_is_left(tmp_path: Path) -> None:
    store, config = Store(tmp_path / "runs.db"), Config()
    admission, routes = Admission(config), Routes(config)
    health = Health(config, store, admission.queue, routes, {})
    assert health.ready() == (200, {"ready": True, "reasons": []})
    for key in ("a", "a", "a", "b", "b"):
        with pytest.raises(Unreachable), routes.breakers["local"].call(key):
            raise Unreachable("gone")
    admission.close()
    assert health.ready() == (503, {"ready": False, "reasons": ["shutting down", "every upstream is down"]})
    store.close()
