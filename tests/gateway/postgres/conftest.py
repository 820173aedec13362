"""A real PostgreSQL."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.servers.postgres import Cluster, emptied


@pytest.fixture
def cluster() -> Cluster:
    """The database, with nothing in it."""
    return emptied()
