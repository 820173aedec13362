"""A client that keeps the server waiting loses its connection; one whose answer takes its time does not."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from ponder.gateway.http import protocol

PATIENCE = 0.5
MOST = 3
REQUEST = b"POST / HTTP/1.1\r\nHost: it\r\nContent-Length: 4\r\n\r\n"

ended = threading.Event()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers after a while; ``/flood`` gets more than any buffer holds."""
    assert scope["type"] == "http"
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        ended.set()
        return
    await asyncio.sleep(3 * PATIENCE)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/flood" else 1):
        await send({"type": "http.response.body", "body": b"a" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": b"the end"})
    ended.set()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(protocol, "PATIENCE", PATIENCE)
    ended.clear()
    with listening() as address:
        yield address


@contextmanager
def listening(*origins: str) -> Iterator[tuple[str, int]]:
    """Serve `app` to pages of these `origins`."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection: Any = partial(protocol.Bounded, most=MOST, origins=origins)
    server = uvicorn.Server(uvicorn.Config(app, http=connection, lifespan="off", log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def received(connection: socket.socket) -> bytes:
    """Everything, until the server closes the connection."""
    data = b""
    try:
        while piece := connection.recv(2**20):
            data += piece
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize("half", [b"", b"POST / HT", REQUEST[:-2], REQUEST, REQUEST + b"fou"])
def test_half_a_request_is_not_waited_for(address: tuple[str, int], half: bytes) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(half)
        assert received(connection) == b""


def test_nor_is_one_that_comes_in_drops(address: tuple[str, int]) -> None:
    began = time.monotonic()
    with socket.create_connection(address, timeout=60) as connection:
        connection.settimeout(PATIENCE / 10)
        connection.sendall(b"POST / HTTP/1.1\r\n")
        while time.monotonic() - began < 100 * PATIENCE:
            connection.sendall(b"X-A: b\r\n")
            try:
                assert connection.recv(1) == b""
                return
            except TimeoutError:
                continue
            except ConnectionResetError:
                return
    raise AssertionError("it was waited for")


def test_an_answer_may_take_longer(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(REQUEST.replace(b"Host", b"Connection: close\r\nHost") + b"four")
        assert received(connection).endswith(b"the end\r\n0\r\n\r\n")


def test_who_does_not_read_loses_the_rest(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(REQUEST.replace(b"/ ", b"/flood ") + b"four")
        assert ended.wait(60)
        assert not received(connection).endswith(b"the end\r\n0\r\n\r\n")


def test_who_reads_gets_all_of_it(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(REQUEST.replace(b"/ ", b"/flood ").replace(b"Host", b"Connection: close\r\nHost") + b"four")
        assert received(connection).endswith(b"the end\r\n0\r\n\r\n")


def test_who_comes_when_all_places_are_taken_is_told_so_and_harms_nobody(address: tuple[str, int]) -> None:
    request = REQUEST.replace(b"Host", b"Connection: close\r\nHost") + b"four"
    with ExitStack() as stack:
        first = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(MOST)]
        for connection in first:
            connection.sendall(request)
        with socket.create_connection(address, timeout=60) as late:
            said = received(late)
        assert said.startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n")
        assert b'"code": "overloaded"' in said
        assert b"access-control" not in said
        assert all(received(connection).endswith(b"the end\r\n0\r\n\r\n") for connection in first)
    with socket.create_connection(address, timeout=60) as next_one:
        next_one.sendall(request)
        assert received(next_one).endswith(b"the end\r\n0\r\n\r\n")


PAGE, OTHER = "https://app.example", "https://other.example"
LONG = b"GET / HTTP/1.1\r\nOrigin: %b\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n"
WRONG = b"GET / HTTP/1.1\r\nOrigin: %b\r\nX-A: b\r\nnonsense\r\n\r\n"
MANY = b"GET / HTTP/1.1\r\nOrigin: %b\r\n" + b"A: b\r\n" * 300 + b"\r\n"


@pytest.mark.parametrize(
    ("request_", "code"), [(LONG, b"431"), (MANY, b"431"), (WRONG, b"400")], ids=["long", "many", "wrong"]
)
@pytest.mark.parametrize(
    ("origins", "asking", "told"),
    [
        ([], PAGE, None),
        (["*"], PAGE, "*"),
        ([PAGE, OTHER], OTHER, OTHER),
        ([PAGE, OTHER], "https://evil.example", None),
    ],
)
def test_pages_may_read_what_is_said_of_a_request_that_never_got_in(
    origins: list[str], asking: str, told: str | None, request_: bytes, code: bytes
) -> None:
    with listening(*origins) as address, socket.create_connection(address, timeout=60) as connection:
        connection.sendall(request_ % asking.encode())
        said = received(connection)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + code)
    assert json.loads(body)["error"]["message"]
    assert (b"access-control-allow-origin: %b" % (told or "").encode() in head) == (told is not None)


@pytest.mark.parametrize(("origins", "told"), [([PAGE], PAGE), (["*"], "*"), ([PAGE, OTHER], None)])
def test_so_they_may_when_all_places_are_taken(origins: list[str], told: str | None) -> None:
    with listening(*origins) as address, ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(socket.create_connection(address, timeout=60)).sendall(b"POST")
        said = received(stack.enter_context(socket.create_connection(address, timeout=60)))
    assert said.startswith(b"HTTP/1.1 503")
    assert (b"access-control-allow-origin: %b\r\n" % (told or "").encode() in said) == (told is not None)


def test_half_of_the_descriptors_that_may_be_had_are_for_clients() -> None:
    program = "from ponder.gateway.http.descriptors import most_connections; print(most_connections())"
    command = ["bash", "-c", 'ulimit -Sn 64; ulimit -Hn 300; exec "$0" -c "$1"', sys.executable, program]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "150\n"
