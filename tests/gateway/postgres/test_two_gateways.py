"""Two gateways on one database, in processes of their own: what one of them has let through, the other counts."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.api.gateway_process import serving
from tests.servers.chat import ChatServer, running
from tests.servers.postgres import PASSWORD, Cluster, emptied

EXECUTABLE = str(Path(sys.executable).with_name("ponder"))

CONFIG = """
[server]
store = "{store}"
[upstreams.vllm]
url = "{url}"
models = ["tiny"]
max_tokens = 400
concurrency = 64
[keys.alice.limits]
tokens = 3000
[keys.bob.limits]
requests_per_minute = 20
"""

VOTE = "ponder/self-consistency(n=4)/tiny"

PATIENCE = 60.0
"""Seconds after which a request hangs."""


class Pair:
    """Two gateways and the keys of their clients."""

    def __init__(self, urls: list[str], config: Path) -> None:
        self.urls = urls
        self._config = config

    def key(self, name: str) -> str:
        return self._keys("add", name).strip()

    def spent(self, name: str) -> int:
        return next(one["tokens"] for one in json.loads(self._keys("list", "--json")) if one["name"] == name)  # type: ignore[no-any-return]

    def _keys(self, *arguments: str) -> str:
        command = [EXECUTABLE, "keys", *arguments, "--config", str(self._config)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return emptied()


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def pair(cluster: Cluster, server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("gateways")
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(store=cluster.url, url=server.url))
    logs = [folder / name for name in ("first.db", "second.db")]
    with ExitStack() as stack:
        both = [stack.enter_context(serving("--config", str(config), store=log)) for log in logs]
        yield Pair([one.url for one in both], config)
    said = [line for log in logs for line in log.with_suffix(".log").read_text().splitlines()]
    assert {line for line in said if not line.startswith("{")} == {"ponder: terminated"}, "the log is JSON"
    assert not any(PASSWORD in line for line in said)


def ask(
    url: str, key: str, model: str = "tiny", name: str = "", question: str = "What is 2 + 2?"
) -> tuple[int, Any, dict[str, str]]:
    """One chat request: status, body, headers."""
    body = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 60}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    if name:
        headers["Idempotency-Key"] = name
    return send(urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers))


def look(url: str, key: str, path: str) -> tuple[int, Any, dict[str, str]]:
    return send(urllib.request.Request(f"{url}{path}", headers={"Authorization": f"Bearer {key}"}))


def send(request: urllib.request.Request) -> tuple[int, Any, dict[str, str]]:
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def received(server: ChatServer, question: str) -> None:
    """Wait for a call with this question."""
    with server.changed:
        assert server.changed.wait_for(lambda: any(question in str(body) for body in server.bodies), PATIENCE)


def test_together_they_never_exceed_a_budget(pair: Pair) -> None:
    alice = pair.key("alice")

    def tokens(one: tuple[str, str]) -> tuple[int, int]:
        status, body, _ = ask(one[0], alice, one[1])
        assert status in (200, 429), body
        return status, body["usage"]["completion_tokens"] if status == 200 else 0

    work = [(url, model) for url in pair.urls for model in ("tiny", VOTE)] * 20
    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(tokens, work))
    assert {status for status, _ in done} == {200, 429}
    booked = pair.spent("alice")
    assert sum(tokens for _, tokens in done) == booked <= 3000
    assert booked > 2500, "the budget was used"


def test_together_they_never_exceed_a_rate(pair: Pair, cluster: Cluster) -> None:
    """Each client asks until it is refused; then the bucket shows how many there may have been, by its own clock."""
    bob = pair.key("bob")

    def bucket() -> tuple[float, float]:
        [(level, at)] = cluster.execute("SELECT level, at FROM gateway_rates WHERE account = 'bob'")
        return float(str(level)), float(str(at))

    def let_in(url: str) -> int:
        for n in itertools.count():
            status, body, _ = ask(url, bob)
            if status != 200:
                assert (status, body["error"]["code"]) == (429, "rate_limited")
                return n

    assert ask(pair.urls[0], bob)[0] == 200
    level, began = bucket()
    assert level == 19
    with ThreadPoolExecutor(8) as pool:
        through = 1 + sum(pool.map(let_in, pair.urls * 4))
    level, ended = bucket()
    assert 20 <= through <= 20 + (ended - began) * 20 / 60 - level + 1e-6


def test_a_run_of_one_is_known_to_the_other(pair: Pair, server: ChatServer) -> None:
    carol, mallory = pair.key("carol"), pair.key("mallory")
    first, second = pair.urls
    status, answer, headers = ask(first, carol, VOTE, name="order-17")
    assert status == 200
    status, run, _ = look(second, carol, f"/runs/{headers['x-ponder-run']}")
    assert (status, run["status"], run["bill"]["output_tokens"]) == (200, "done", answer["usage"]["completion_tokens"])
    assert look(second, mallory, f"/runs/{headers['x-ponder-run']}")[0] == 404
    calls = len(server.bodies)
    again = ask(second, carol, VOTE, name="order-17")
    assert (again[0], again[2]["x-ponder-run"]) == (200, headers["x-ponder-run"])
    assert again[1]["choices"] == answer["choices"]
    assert len(server.bodies) == calls, "nothing was asked again"
    server.latency = 5.0
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(ask, first, carol, VOTE, "order-18", "What now?")
        received(server, "What now?")
        status, body, headers = ask(second, carol, VOTE, "order-18", "What now?")
        assert (status, body["error"]["code"]) == (409, "run_busy")
        assert under_way.result()[0] == 200
    server.latency = 0.0


def test_a_database_that_is_stopped_and_started_is_an_error_meanwhile(
    pair: Pair, cluster: Cluster, server: ChatServer
) -> None:
    """Requests keep coming at both all the while; none hangs, and none is answered but in a way that clients know."""
    dave = pair.key("dave")
    over = threading.Event()
    seen: Counter[tuple[int, str | None]] = Counter()

    def one(url: str, model: str = "tiny") -> int:
        status, body, _ = ask(url, dave, model)
        seen[status, None if status == 200 else body["error"]["code"]] += 1
        return status

    def load(url: str, model: str) -> None:
        while not over.is_set():
            one(url, model)

    def until(status: int) -> None:
        for url in pair.urls:
            while one(url) != status:
                time.sleep(0.05)

    with ThreadPoolExecutor(5) as pool:
        for url in pair.urls:
            for model in ("tiny", VOTE):
                pool.submit(load, url, model)
        until(200)
        server.latency = 4.0
        slow = pool.submit(ask, pair.urls[0], dave, VOTE, "", "How slow?")
        received(server, "How slow?")
        cluster.stop()
        server.latency = 0.0
        until(503)
        down = [look(url.removesuffix("/v1"), "", "/health") for url in pair.urls]
        cluster.start()
        until(200)
        over.set()
        assert slow.result()[0] == 200, "what was under way outlived it"
    assert [(status, body["store"]["status"]) for status, body, _ in down] == [(503, "failed")] * 2
    assert seen.keys() == {(200, None), (503, "store_error")}
