"""A real server that speaks the chat API."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ponder.backends.openai import OpenAI

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.servers.chat import ChatServer, running


@pytest.fixture(scope="session")
def _server() -> Iterator[ChatServer]:
    with running() as server:
        yield server


@pytest.fixture
def server(_server: ChatServer) -> ChatServer:
    """The server, with nothing behind it yet."""
    _server.reset()
    return _server


@pytest.fixture
async def backend(server: ChatServer) -> AsyncIterator[OpenAI]:
    """A backend for it."""
    backend = OpenAI(server.url, "test-model", server="vllm", timeout=20)
    yield backend
    await backend.aclose()
