"""Texts that would hold up the event loop: they are read in a worker."""

from __future__ import annotations

from ponder.workers.pool import JobFailed, Workers

__all__ = ["LONG", "in_a_worker", "is_long"]

LONG = 10_000
"""Characters that are read in the event loop: a few milliseconds at the worst."""


def is_long(text: str) -> bool:
    """Whether `text` is read outside the event loop."""
    return len(text) > LONG


async def in_a_worker(workers: Workers, finder: str, text: str, *more: str) -> str | None:
    """What `finder`, ``MODULE:NAME``, finds in `text`.

    Raises:
        Undecided: it came to the end of its time or memory, or the run to that of its share.
    """
    try:
        found = await workers.run("call", finder, text, *more)
    except JobFailed:
        return None
    return None if found is None else str(found)
