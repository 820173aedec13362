"""Whatever a client sends, it is told in a few words, the others are served, and no upstream is misled.

Over real sockets: a gateway in a process of its own, in front of an upstream that takes anything.
"""

from __future__ import annotations

import http.client
import itertools
import json
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.gateway.api.gateway_process import EXECUTABLE, Gateway, serving
from tests.hostile.seed import SEED
from tests.hostile.sent import ASK, LARGEST, MODELS, Rng, hostile_body, hostile_request
from tests.hostile.watching import Watch, watching
from tests.servers.chat import ChatServer, running

BODIES = 120
HEADS = 120
SHORT = 4096
"""Bytes of an answer, headers and all; those of the scripted upstream have some hundred."""

SENT_ON = {
    "host", "content-length", "content-type", "accept-encoding", "user-agent", "traceparent", "tracestate",
}  # fmt: skip

CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}]}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}

REPORTED: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "name of a model": lambda model: {"model": model + "x" * LARGEST, **ASK},
    "logit_bias": lambda model: {"model": model, **ASK, "logit_bias": {str(at): 1 for at in range(400_000)}},
    "parts": lambda model: {"model": model, "messages": [{"role": "user", "content": [{"type": "text"}] * 200_000}]},
    "budget": lambda model: {"model": model, **ASK, "ponder": {"budget": "tokens=" + "9" * 400}},
    "name of a field": lambda model: {"model": model, **ASK, "ponder": {"x" * LARGEST: 1}},
    "role": lambda model: {"model": model, "messages": [{"role": "x" * LARGEST, "content": "x"}]},
}


class Upstream(ChatServer):
    """Answers anything that is JSON; `raw` are the bytes that it got."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: list[bytes] = []

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        self.raw.append(data)
        self.headers.append(dict(request.headers))
        if json.loads(data).get("stream"):
            text = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"
            return web.Response(text=text, content_type="text/event-stream")
        return web.json_response(CHAT)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    with running(made):
        yield made


@pytest.fixture(scope="module")
def served(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, str, str]]:
    """A gateway, and the keys of two clients."""
    config = tmp_path_factory.mktemp("bodies") / "gateway.toml"
    config.write_text(f'server.store = "g.db"\n[upstreams.u]\nurl = "{upstream.url}"\nmodels = ["m"]\nprice = "1/1"\n')
    first, second = (
        subprocess.run(
            [EXECUTABLE, "keys", "add", name, "--config", str(config)], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("hostile", "other")
    )
    with serving("--config", str(config), store=config.with_name("runs.db")) as gateway:
        yield gateway, first, second


def post(gateway: Gateway, key: str, data: bytes) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=120)
    try:
        connection.request("POST", "/v1/chat/completions", data, {"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def spoken(gateway: Gateway, data: bytes) -> bytes:
    """What comes back for these bytes; who waits for more of them is told that there are none."""
    parts = urlsplit(gateway.url)
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as connection:  # type: ignore[arg-type]
        try:
            connection.sendall(data)
            if not select.select([connection], [], [], 2)[0]:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                received += piece
        except OSError:  # it was closed before all was sent
            pass
    return received


@contextmanager
def another_is_served(gateway: Gateway, key: str) -> Iterator[Watch]:
    """Somebody else asks small things all the while, and is answered each time."""
    over, statuses = threading.Event(), list[int]()

    def ask() -> None:
        for model in itertools.cycle(MODELS):
            statuses.append(post(gateway, key, json.dumps({"model": model, **ASK}).encode())[0])
            if over.wait(0.1):
                return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        with watching(gateway.url) as watch:
            yield watch
    finally:
        over.set()
        thread.join()
    assert set(statuses) == {200}
    assert watch.refused == 0


def is_told_in_a_few_words(status: int, said: bytes) -> bool:
    """Whether a client learns what it got, or what it did wrong."""
    if not (200 <= status < 500 and len(said) <= SHORT):
        return False
    message: str = "" if status == 200 else json.loads(said)["error"]["message"]
    return message.isprintable()


def is_read_alike(data: bytes) -> bool:
    """Whether servers that keep the first of two fields, or the last, or do not look at case, read the same in it."""

    def first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(pairs))

    def lower(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name.casefold(): one for name, one in pairs}

    last, folded = json.loads(data), json.loads(data, object_pairs_hook=lower)
    names = ("model", "max_tokens", "max_completion_tokens", "n", "best_of", "stream", "stream_options", "prompt")
    alike = [json.dumps(folded.get(name)).casefold() == json.dumps(last.get(name)).casefold() for name in names]
    return json.loads(data, object_pairs_hook=first) == last and all(alike)


@pytest.mark.parametrize("model", MODELS)
def test_what_was_reported_is_refused(served: tuple[Gateway, str, str], upstream: Upstream, model: str) -> None:
    gateway, key, other = served
    with another_is_served(gateway, other) as watch:
        for name, make in REPORTED.items():
            watch.during_now = name
            status, said = post(gateway, key, json.dumps(make(model)).encode())
            assert status == 400
            assert is_told_in_a_few_words(status, said)


@pytest.mark.parametrize("model", MODELS)
def test_bodies_of_every_kind(served: tuple[Gateway, str, str], upstream: Upstream, model: str) -> None:
    rng, (gateway, key, other) = Rng(f"{SEED} {model}"), served
    upstream.raw.clear()
    upstream.headers.clear()
    statuses = set()
    with another_is_served(gateway, other) as watch:
        for _ in range(BODIES):
            body = hostile_body(rng, model)
            watch.during_now = repr(body[:200])
            status, said = post(gateway, key, body)
            assert is_told_in_a_few_words(status, said), (status, body[:300], body[-300:], said[:300])
            statuses.add(status)
    assert {200, 400} <= statuses, "some are right, some are not"
    assert all(map(is_read_alike, upstream.raw))
    assert {name.lower() for headers in upstream.headers for name in headers} <= SENT_ON


def test_headers_of_every_kind(served: tuple[Gateway, str, str], upstream: Upstream) -> None:
    rng, (gateway, key, other) = Rng(SEED), served
    upstream.headers.clear()
    statuses = set()
    with another_is_served(gateway, other) as watch:
        for _ in range(HEADS):
            sent = hostile_request(rng, key)
            watch.during_now = repr(sent[:200])
            said = spoken(gateway, sent)
            assert len(said) <= SHORT
            assert b"\r\nlocation:" not in said.lower()
            if said:  # one whose end has not come is not answered
                assert said.startswith(b"HTTP/1.1 ")
                assert 100 <= int(said[9:12]) < 500, (sent[:500], said[:500])
                statuses.add(int(said[9:12]))
    assert {200, 400, 404, 431} <= statuses
    assert {name.lower() for headers in upstream.headers for name in headers} <= SENT_ON
