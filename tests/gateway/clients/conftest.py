"""The gateway, in front of the embedded model and of a server whose replies are scripted, and the other clients."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[1] / "api"))

from gateway_process import Gateway, serving

from ponder.backends.weights import resolve
from ponder.core.errors import WeightsError
from tests.servers.chat import ChatServer, running
from tests.servers.replies import say

MODEL = "local/smollm2-135m"


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """In front of the light model in its own process."""
    try:
        resolve(MODEL)
    except WeightsError as error:
        pytest.skip(f"{MODEL} is neither in the cache nor to be had: {error}")
    with serving("--model", MODEL, store=tmp_path_factory.mktemp("embedded") / "runs.db") as gateway:
        yield gateway


@pytest.fixture(scope="session")
def _server() -> Iterator[ChatServer]:
    with running() as server:
        yield server


@pytest.fixture
def server(_server: ChatServer) -> Iterator[ChatServer]:
    """The upstream of `gateway`; a test says what it answers."""
    _server.reset()
    yield _server
    _server.says = say


@pytest.fixture(scope="session")
def _gateway(_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    store = tmp_path_factory.mktemp("scripted") / "runs.db"
    with serving("--model", f"test-model@{_server.url}", store=store, OPENAI_API_KEY="sk-of-the-gateway") as gateway:
        yield gateway


@pytest.fixture
def gateway(_gateway: Gateway, server: ChatServer) -> Gateway:
    """In front of `server`."""
    return _gateway
