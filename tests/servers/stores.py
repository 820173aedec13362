"""The places where Ponder keeps runs and accounts: a test that takes one holds for every database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from ponder.store.base import RunStore
from ponder.store.opening import open_store
from ponder.store.place import place_of
from tests.servers.postgres import Cluster, emptied

__all__ = ["KINDS", "Place", "make_place", "opened"]

KINDS = ("sqlite", "postgres")


class Place(Protocol):
    """Where a store is; `text` is how a person names it."""

    text: str

    def execute(self, statement: str) -> None:
        """Change what is kept, past the store."""

    def kept(self) -> bytes:
        """Everything that is kept, as it lies there."""
        ...


class _File:
    def __init__(self, path: Path) -> None:
        self.text = str(path)

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.text, isolation_level=None)) as db:
            db.execute(statement)

    def kept(self) -> bytes:
        return b"".join(path.read_bytes() for path in Path(self.text).parent.iterdir())


class _Database:
    def __init__(self, cluster: Cluster) -> None:
        self.text = cluster.url
        self._cluster = cluster

    def execute(self, statement: str) -> None:
        self._cluster.execute(statement)

    def kept(self) -> bytes:
        tables = self._cluster.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'ponder'")
        return b"".join(repr(self._cluster.execute(f"SELECT * FROM {table}")).encode() for (table,) in tables)


def make_place(request: pytest.FixtureRequest, folder: Path) -> Place:
    """An empty place, of the kind that the fixture is to have."""
    return _File(folder / "runs.db") if request.param == "sqlite" else _Database(emptied())


@contextmanager
def opened(place: Place) -> Iterator[RunStore]:
    """The store in it."""
    with closing(open_store(place_of(place.text))) as store:
        yield store
