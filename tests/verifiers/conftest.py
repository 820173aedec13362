"""One pool of worker processes for all tests here, and what most of them need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ponder.verifiers.equivalence import Equivalence
from ponder.verifiers.pool import Workers


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    pool = Workers(size=1, seconds=1.0)
    yield pool
    pool.close()


@pytest.fixture
def equivalence(workers: Workers) -> Equivalence:
    """A relation that remembers nothing yet."""
    return Equivalence(workers)
