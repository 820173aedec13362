"""Makes the test servers importable; the stores, of every kind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from ponder.store.base import RunStore
from tests.servers.stores import KINDS, Place, make_place, opened


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for runs."""
    return make_place(request, tmp_path)


@pytest.fixture
def store(place: Place) -> Iterator[RunStore]:
    """The store in `place`."""
    with opened(place) as made:
        yield made
