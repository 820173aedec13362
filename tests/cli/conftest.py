"""The real `ponder` command, with a run store of its own, and a real server to talk to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ponder

from tests.servers.chat import ChatServer, running


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the command finds in its environment: no keys, no settings, its own store."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PONDER_"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM"):
        kept.pop(name, None)
    return {**kept, "PONDER_STORE": str(tmp_path / "runs.db"), "PONDER_SIGN_AFTER": "3600"}


@pytest.fixture
def ponder(environment: dict[str, str]) -> Ponder:
    """The command, in a pipe."""
    return Ponder(environment)


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
def model(server: ChatServer) -> str:
    """The spec of its model."""
    return f"test-model@{server.url}"
