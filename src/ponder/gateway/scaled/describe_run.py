"""What the store knows of a run, for the client that asked for it."""

from __future__ import annotations

from typing import Any

from ponder.core.text.quoting import quoted
from ponder.gateway.errors import NotFound
from ponder.gateway.settings import Key
from ponder.store.base import RunStore

__all__ = ["describe_run"]


def describe_run(store: RunStore, run: str, key: Key) -> dict[str, Any]:
    """The run: how it stands, its strategy and model, and once it has ended its answer, its bill and all branches.

    Raises:
        NotFound: `key` has no such run.
    """
    row = store.find(run)
    if row is None or row.job.get("owner") != key.name:
        raise NotFound(f"no run {quoted(run)}")
    about = {"id": row.id, "object": "ponder.run", "created": int(row.created), "status": row.status}
    asked = {"strategy": row.job["strategy"], "model": row.job["model"], "budget": row.job["budget"]}
    return {**about, **asked, **(row.answer or {})}
