"""Where runs are kept: a file, or a database that several machines may share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponder.store.postgres.url import PostgresUrl

__all__ = ["default_place", "place_of"]


def place_of(text: str) -> Path | PostgresUrl:
    """A path, or what a ``postgresql://...`` URL names.

    Raises:
        InvalidOption: it is a URL of PostgreSQL's that cannot be read.
        UsageError: the package that speaks to PostgreSQL is missing.
    """
    if text.startswith(("postgresql://", "postgres://")):
        from ponder.store.postgres.url import PostgresUrl

        return PostgresUrl(text)
    return Path(text).expanduser()


def default_place() -> Path | PostgresUrl:
    """``$PONDER_STORE``, or ``ponder/runs.db`` in the user's data directory.

    Raises:
        UsageError: see `place_of`.
    """
    given = os.environ.get("PONDER_STORE")
    if given:
        return place_of(given)
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "ponder" / "runs.db"
