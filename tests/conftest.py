"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ponder.answers.equivalence import Equivalence
from ponder.workers.pool import Workers

# How long an example takes says nothing about the code. Every run takes the same examples, so that a failure is the
# change's own; scripts/many-seeds takes others.
settings.register_profile("ponder", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("ponder")

# What is compiled is compiled once for all tests, and for the next run, and is not left in the user's own cache.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache/compiled"))

# Processes of tests share the cores: threads of the embedded model that spin while they wait for each other take
# them from the others, and three times the time. Programs that the tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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
