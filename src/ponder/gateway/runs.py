"""What the store knows of a run, for the client that asked for it."""

from __future__ import annotations

from typing import Any

from ponder.core.errors import InvalidOption
from ponder.gateway.failures import NotFound
from ponder.store.sqlite import Store

__all__ = ["describe_run"]


def describe_run(store: Store, run: str) -> dict[str, Any]:
    """The run: how it stands, its strategy and model, and once it has ended its answer, its bill and all branches.

    Raises:
        NotFound: there is no run of exactly this id.
    """
    try:
        row = store.run(run)
    except InvalidOption:
        raise NotFound(f"no run {run!r}") from None
    if row.id != run:  # the beginning of an id is enough for its owner at a terminal, not for a stranger
        raise NotFound(f"no run {run!r}")
    about = {"id": row.id, "object": "ponder.run", "created": int(row.created), "status": row.status}
    asked = {"strategy": row.job["strategy"], "model": row.job["model"], "budget": row.job["budget"]}
    return {**about, **asked, **(row.answer or {})}
