"""The real gateway in a process of its own, in front of a real server that speaks the chat API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

sys.path.insert(0, str(Path(__file__).parents[3]))

from gateway_process import Gateway, serving

from tests.servers.chat import ChatServer, running
from tests.servers.replies import say


@pytest.fixture(scope="session")
def _server() -> Iterator[ChatServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def _gateway(_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    store = tmp_path_factory.mktemp("gateway") / "runs.db"
    with serving("--model", f"test-model@{_server.url}", store=store, OPENAI_API_KEY="sk-of-the-gateway") as gateway:
        yield gateway


@pytest.fixture
def server(_server: ChatServer) -> Iterator[ChatServer]:
    """The upstream, with nothing behind it yet."""
    _server.reset()
    yield _server
    _server.says = say


@pytest.fixture
def gateway(_gateway: Gateway, server: ChatServer) -> Gateway:
    """The gateway, in front of `server`; a call that succeeds makes its breaker forget the faults of other tests."""
    with _gateway.client as client:
        client.completions.create(model="test-model", prompt="Hello")
    server.reset()
    return _gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    """The SDK, pointed at the gateway."""
    with gateway.client as client:
        yield client
