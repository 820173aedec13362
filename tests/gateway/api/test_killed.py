"""kill -9 under load: no run is lost that a client knows of, and every bill is right to the token that was received."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import openai
import pytest
from gateway_process import Gateway, serving
from openai import OpenAI

from ponder.core.bill import Bill
from ponder.gateway.accounts.base import Spent
from ponder.gateway.accounts.sqlite import SqliteAccounts
from ponder.gateway.admission.gate import TOTAL
from ponder.store.base import RunRow
from ponder.store.sqlite import Store
from tests.servers.chat import ChatServer
from tests.servers.replies import Said

MODEL = "ponder/adaptive-consistency(n=4,threshold=1)/test-model"
SAMPLES, TOKENS = 4, 3
CONFIG = """
[server]
store = "gateway.db"
[upstreams.one]
url = "{url}"
models = ["test-model"]
price = "1/2"
[server.limits]
tokens_per_day = 10_000_000
"""


class Load:
    """Clients that ask one after another, each with a name for its request, and note what they were told."""

    def __init__(self, gateway: Gateway) -> None:
        self.told: dict[str, str] = {}
        self.names: list[str] = []
        self._client = gateway.client
        self._over = threading.Event()

    def run(self, clients: int) -> None:
        with ThreadPoolExecutor(clients) as pool:
            for number in range(clients):
                pool.submit(self._ask, number)

    def stop(self) -> None:
        self._over.set()

    def _ask(self, number: int) -> None:
        for turn in range(10_000):
            if self._over.is_set():
                return
            name = f"{number}-{turn}"
            self.names.append(name)
            try:
                with ask(self._client, name) as reply:
                    self.told[name] = reply.headers["x-ponder-run"]
                    list(reply.iter_lines())
            except (openai.APIError, httpx2.HTTPError):
                return


def ask(client: OpenAI, name: str) -> object:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"How much is {name}?"}], "stream": True}
    chats = client.chat.completions.with_streaming_response
    return chats.create(**body, extra_headers={"Idempotency-Key": name})


def bill(row: RunRow) -> Bill:
    assert row.answer is not None
    return Bill.from_dict(row.answer["bill"])


def ended(store: Store) -> list[RunRow]:
    """All runs, once the gateway has settled those that were cut off."""
    for _ in range(200):
        if not store.running():
            return store.runs(limit=100_000)
        time.sleep(0.1)
    raise AssertionError(f"{len(store.running())} runs were left as they were")


def spent(store: Store) -> Spent:
    return asyncio.run(SqliteAccounts(store).spent(TOTAL, time.time()))


@pytest.mark.parametrize("seed", range(2))
def test_a_gateway_that_is_killed_under_load_loses_nothing(server: ChatServer, tmp_path: Path, seed: int) -> None:
    server.says = lambda body, index: Said(["Answer", ":", " 4"], "stop")
    server.latency = 0.02
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(url=server.url))
    with serving("--config", str(config), store=tmp_path / "first.db") as gateway:
        load = Load(gateway)
        clients = threading.Thread(target=load.run, args=(8,))
        clients.start()
        while len(load.told) < 12:
            time.sleep(0.01)
        time.sleep(random.Random(seed).uniform(0, 0.2))
        gateway.process.kill()
        load.stop()
        clients.join()
    time.sleep(2 * server.latency)
    answered = sum(event == "answered" for _, event in server.events)
    store = Store(tmp_path / "gateway.db")
    with serving("--config", str(config), store=tmp_path / "second.db") as gateway, gateway.client as client:
        rows = ended(store)
        assert set(load.told.values()) <= {row.id for row in rows}
        assert {row.status for row in rows} == {"done", "interrupted"}
        bills = [bill(row) for row in rows]
        lost = sum(one.lost_calls for one in bills)
        assert 0 < lost <= 8
        assert answered - lost <= sum(one.calls for one in bills) <= answered
        assert sum(one.total_tokens for one in bills) == TOKENS * sum(one.calls for one in bills)
        assert spent(store).tokens == sum(one.total_tokens for one in bills)
        assert spent(store).usd == pytest.approx(sum(one.usd or 0.0 for one in bills))

        for name in load.names:
            with ask(client, name) as reply:
                list(reply.iter_lines())
                assert load.told.get(name, reply.headers["x-ponder-run"]) == reply.headers["x-ponder-run"]
        rows = ended(store)
        assert {row.status for row in rows} == {"done"}
        assert [bill(row).calls for row in rows] == [SAMPLES] * len(set(load.names))
        assert spent(store).tokens == SAMPLES * TOKENS * len(rows)
        assert len(server.bodies) <= SAMPLES * len(rows) + lost
    store.close()
