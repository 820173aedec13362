"""What the store knows of a run, for the client that asked for it."""

from __future__ import annotations

from typing import Any

from ponder.core.errors import InvalidOption
from ponder.gateway.config import Key
from ponder.gateway.failures import NotFound
from ponder.store.sqlite import RunRow, Store

__all__ = ["describe_run", "find_run"]


def find_run(store: Store, run: str) -> RunRow | None:
    """The run of exactly this id: the beginning of one is enough for its owner at a terminal, not for a stranger."""
    try:
        row = store.run(run)
    except InvalidOption:
        return None
    return row if row.id == run else None


def describe_run(store: Store, run: str, key: Key) -> dict[str, Any]:
    """The run: how it stands, its strategy and model, and once it has ended its answer, its bill and all branches.

    Raises:
        NotFound: `key` has no such run.
    """
    row = find_run(store, run)
    if row is None or row.job.get("owner") != key.name:
        raise NotFound(f"no run {run!r:.40}")
    about = {"id": row.id, "object": "ponder.run", "created": int(row.created), "status": row.status}
    asked = {"strategy": row.job["strategy"], "model": row.job["model"], "budget": row.job["budget"]}
    return {**about, **asked, **(row.answer or {})}
