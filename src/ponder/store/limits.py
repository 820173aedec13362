"""How much of the past is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Limits", "Sized", "beyond"]

NONE = 2**62
"""More than there ever is, and no more than a database can compare with."""

# The newest run is the first, and `total` is what it and all newer ones take up.
BEYOND = """
SELECT id, created, status, bytes FROM (
    SELECT
        id, created, status, bytes, row_number() OVER newest AS place, sum(bytes) OVER newest AS total
    FROM (SELECT id, created, status, {size} AS bytes FROM runs) AS sized
    WINDOW newest AS (ORDER BY created DESC, id ROWS UNBOUNDED PRECEDING)
) AS ranked
WHERE created < ? OR place > ? OR total > ? ORDER BY created, id
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """No run older than `seconds`, no more than `runs`, no more than `bytes` of them; None is no limit."""

    seconds: float | None = None
    runs: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Sized:
    """A run, and the bytes that it takes up, its journal and answer included; `created` is in seconds since 1970."""

    id: str
    created: float
    status: str
    bytes: int


def beyond(limits: Limits, now: float, size_of: Callable[[str], str]) -> tuple[str, tuple[float, ...]]:
    """A query for the runs outside of `limits`, and its values; `size_of` gives SQL for the bytes of a column."""
    journal = f"(SELECT coalesce(sum({size_of('intent')} + {size_of('result')}), 0) FROM actions WHERE run = runs.id)"
    size = f"{size_of('job')} + {size_of('answer')} + {journal}"
    oldest = float("-inf") if limits.seconds is None else now - limits.seconds
    most, room = (NONE if limit is None else min(limit, NONE) for limit in (limits.runs, limits.bytes))
    return BEYOND.format(size=size), (oldest, most, room)
