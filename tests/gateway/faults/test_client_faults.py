"""Whatever a client does, the others do not notice, and nothing of it is kept."""

from __future__ import annotations

import itertools
import json
import re
import select
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from bare_client import address, ask, head, metrics, resident, spoken
from gateway_process import Gateway, serving

from tests.servers.chat import ChatServer, running
from tests.servers.faults import chunk, raw
from tests.servers.replies import Said

ASK = {"model": "test-model", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
SCALED = {**ASK, "model": "ponder/self-consistency(n=3)/test-model"}
MEGABYTE = 2**20
CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: it\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running(ChatServer(says=lambda body, index: Said([" four"] * 100, "stop"))) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("clients")
    with serving("--model", f"test-model@{server.url}", store=place / "runs.db") as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _unharmed(gateway: Gateway, server: ChatServer) -> Iterator[None]:
    """Others are served before and after, and nothing is under way any more."""
    yield
    server.reset()
    assert ask(gateway, ASK)[0] == 200
    for _ in range(100):
        if "\nponder_branches 0.0\n" in metrics(gateway):
            server.reset()
            return
        time.sleep(0.1)
    raise AssertionError("something is still under way")


@pytest.mark.parametrize("model", ["test-model", "ponder/single/test-model"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"four"',
        b"{",
        b'{"model": "MODEL", "messages": [{"role": "user", "content": "caf\xe9"}]}',
        b'{"model": "MODEL", "messages": [{"role": "user", "content": "\\ud83d"}]}',
        b'{"model": "MODEL", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "MODEL", "messages": [{"role": "user", "content": ' + b'{"a":' * 100_000,
        b'{"model": "MODEL", "messages": [{"role": "user", "content": "4"}], "max_tokens": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_none_is_a_bad_request(gateway: Gateway, server: ChatServer, body: bytes, model: str) -> None:
    status, said = ask(gateway, body.replace(b"MODEL", model.encode()))
    assert (status, said["error"]["type"]) == (400, "invalid_request_error")
    assert server.bodies == []


@pytest.mark.parametrize("depth", [50, 190, 300, 500, 900, 990])
@pytest.mark.parametrize("model", ["test-model", "ponder/self-consistency(n=2)/test-model"])
def test_deep_bodies_are_answered_or_refused(gateway: Gateway, depth: int, model: str) -> None:
    deep = b'{"model": "%s", "messages": [{"role": "user", "content": "4", "x": %s}]}'
    status, said = ask(gateway, deep % (model.encode(), b"[" * depth + b"]" * depth))
    assert status in (200, 400), said


def test_a_body_of_a_hundred_megabytes_is_refused(gateway: Gateway) -> None:
    before = resident(gateway)
    text = json.dumps({**ASK, "x": "a" * 100 * MEGABYTE}).encode()
    assert ask(gateway, text)[1]["error"]["code"] == "prompt_too_large"
    assert resident(gateway) < before + 60 * MEGABYTE


def test_half_a_body_is_no_request(gateway: Gateway, server: ChatServer) -> None:
    body = json.dumps(ASK).encode()
    with socket.create_connection(address(gateway), timeout=60) as connection:
        connection.sendall(head(len(body)) + body[:20])
        time.sleep(0.2)
    assert spoken(gateway, head(len(body), Connection="close") + body).startswith(b"HTTP/1.1 200")
    assert len(server.bodies) == 1


def test_more_body_than_was_said_is_no_second_request(gateway: Gateway, server: ChatServer) -> None:
    body = json.dumps(ASK).encode()
    answer = spoken(gateway, head(len(body)) + body + body)
    assert b"HTTP/1.1 400" in answer
    assert len(server.bodies) <= 1


@pytest.mark.parametrize("length", ["-1", "four", "1e3", "9" * 30])
def test_a_length_that_is_none_is_refused(gateway: Gateway, length: str) -> None:
    assert spoken(gateway, head(length) + b"{}").startswith(b"HTTP/1.1 400")


def test_two_ways_to_say_the_length_are_refused(gateway: Gateway) -> None:
    smuggled = head(4, **{"Transfer-Encoding": "chunked"}) + b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: it\r\n\r\n"
    assert spoken(gateway, smuggled).count(b"HTTP/1.1") == 1


def flood(gateway: Gateway, start: bytes, pieces: Iterable[bytes]) -> bytes:
    """What comes back for pieces without end, once the gateway has had enough."""
    with socket.create_connection(address(gateway), timeout=60) as connection:
        try:
            connection.sendall(start)
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass
        try:
            return connection.recv(65_536)
        except OSError:
            return b""


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /health HTTP/1.1\r\n", b"X-A: b\r\n" * 1000),
        (b"GET /health HTTP/1.1\r\nX-A: ", b"b" * 10_000),
        (b"GET /", b"h" * 10_000),
        (CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1000),
        (CHUNKED + b"0\r\nX-A: ", b"b" * 10_000),
        (CHUNKED + b"2;", b"b" * 10_000),
    ],
)
def test_headers_without_end_are_cut_off(gateway: Gateway, start: bytes, piece: bytes) -> None:
    before = resident(gateway)
    said = flood(gateway, start, itertools.repeat(piece, 20_000))
    assert said == b"" or said.startswith(b"HTTP/1.1 4")
    assert resident(gateway) < before + 10 * MEGABYTE


def test_pipelined_requests_are_answered_in_their_order(gateway: Gateway, server: ChatServer) -> None:
    bodies = [json.dumps({**ASK, "seed": seed}).encode() for seed in range(5)]
    server.latency = 0.05
    requests = [head(len(body)) + body for body in bodies]
    requests.append(b"GET /ready HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n")
    answer = spoken(gateway, b"".join(requests))
    assert answer.count(b"HTTP/1.1 200 OK") == 6
    assert [body["seed"] for body in server.bodies] == list(range(5))
    assert answer.endswith(b'{"ready": true, "reasons": []}')


@pytest.mark.parametrize("body", [ASK, SCALED])
@pytest.mark.parametrize("stream", [True, False])
def test_who_goes_away_cancels_the_call_within_a_second(
    gateway: Gateway, server: ChatServer, body: dict[str, Any], stream: bool
) -> None:
    server.token_latency, server.latency = 0.05, 0.0 if stream else 30.0
    tokens = tokens_booked(gateway)
    data = json.dumps({**body, "stream": stream}).encode()
    with socket.create_connection(address(gateway), timeout=60) as connection:
        connection.sendall(head(len(data)) + data)
        server.wait_for("received")
        if stream:
            connection.recv(1)
            time.sleep(1)
    server.wait_for("cancelled", seconds=10)
    server.reset()
    ended(gateway)
    for _ in range(100):  # the metrics come after the end of the request
        if (tokens_booked(gateway) > tokens) is stream:
            return
        time.sleep(0.1)
    raise AssertionError("what was streamed is not booked" if stream else "something was booked")


def test_the_impatience_of_some_clients_is_not_held_against_the_upstream(gateway: Gateway, server: ChatServer) -> None:
    server.latency = 2.0
    for _ in range(6):  # one more than opens the breaker
        connection = HTTPConnection(*address(gateway), timeout=60)
        connection.request("POST", "/v1/chat/completions", json.dumps(ASK), {"x-ponder-deadline": "0.05"})
        assert connection.getresponse().status == 504
        connection.close()
    assert '\nponder_breaker_state{upstream="upstream"} 0.0\n' in metrics(gateway)


def ended(gateway: Gateway) -> None:
    while "\nponder_branches 0.0\n" not in metrics(gateway):
        time.sleep(0.1)


def tokens_booked(gateway: Gateway) -> float:
    return sum(map(float, re.findall(r'^ponder_tokens_total\{.*kind="output".*\} (\S+)$', metrics(gateway), re.M)))


def test_who_does_not_read_is_not_written_to(gateway: Gateway, server: ChatServer) -> None:
    event = chunk("so " * 1000)
    written = itertools.count()

    def pieces() -> Iterator[bytes]:
        for _ in range(20_000):  # 60 MB
            next(written)
            yield event

    events = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    server.faults.append(raw(events, then=pieces()))
    before = resident(gateway)
    data = json.dumps({**ASK, "stream": True}).encode()
    with socket.create_connection(address(gateway), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head(len(data)) + data)
        seen = -1
        while (now := int(repr(written)[6:-1])) != seen or not now:
            seen = now
            time.sleep(1)
    assert seen < 10_000, "the upstream has to wait, too"
    assert resident(gateway) < before + 20 * MEGABYTE


SMALL = """
[server]
branches = 1
queue = 0
[upstreams.it]
url = "{url}"
models = ["test-model"]
[caps]
prompt_bytes = 1000
"""


def test_a_gateway_takes_no_more_than_it_could_ever_work_on(server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(SMALL.format(url=server.url))
    half, rest = head(66_000) + b" " * 60_000, b" " * 6000
    with serving("--config", str(tmp_path / "gateway.toml"), store=tmp_path / "runs.db") as gateway:
        with ExitStack() as stack:
            two = [stack.enter_context(socket.create_connection(address(gateway), timeout=60)) for _ in range(2)]
            for connection in two:
                connection.sendall(half)
            [refused, *_], _, _ = select.select(two, [], [], 60)
            said = refused.recv(65_536)
            assert said.startswith(b"HTTP/1.1 503")
            assert b'"code":"overloaded"' in said
        for _ in range(100):  # until it is known that they have gone
            with socket.create_connection(address(gateway), timeout=60) as connection:
                connection.sendall(half + rest)
                if connection.recv(65_536).startswith(b"HTTP/1.1 400"):
                    return
            time.sleep(0.1)
    raise AssertionError("what they had sent is still held")
