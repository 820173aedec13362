"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from ponder.answers.equivalence import Equivalence
from ponder.workers.pool import Workers

# How long an example takes says nothing about the code. With `CI` set, hypothesis also repeats the same examples.
settings.register_profile("ponder", deadline=None)
settings.load_profile("ponder")

# A shell starts what runs in its background deaf to Ctrl-C, and every program that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Ponder runs on asyncio: its HTTP client does."""
    return "asyncio"


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    pool = Workers(size=1, seconds=1.0)
    yield pool
    pool.close()


@pytest.fixture
def equivalence(workers: Workers) -> Equivalence:
    """A relation that remembers nothing yet."""
    return Equivalence(workers)
