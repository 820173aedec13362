"""Opening the store of a place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponder.store.base import RunStore
    from ponder.store.postgres.url import PostgresUrl
from ponder.store.place import default_place

__all__ = ["open_store"]


def open_store(place: Path | PostgresUrl | None = None) -> RunStore:
    """The run store at `place`, the default one unless given; created when it is not there.

    Raises:
        UsageError: see `place_of`.
        StoreError: it cannot be opened, or is no run store of this version.
    """
    place = place or default_place()
    if isinstance(place, Path):
        from ponder.store.sqlite import Store

        return Store(place)
    from ponder.store.postgres.store import PostgresStore

    return PostgresStore(place)
