"""What is told of one request, to the log and to the metrics; everything here may be read by strangers."""

from __future__ import annotations

from contextvars import ContextVar

import msgspec

from ponder.core.bill import Bill

__all__ = ["Record", "record", "recording"]


class Record(msgspec.Struct):
    """One request, filled in by whoever learns something about it; never a secret, never what was said.

    `strategy` is the name alone, empty for a request that passed through. `code` says why it was refused, or failed;
    `error` says which server or store could not be reached. `queued` and `seconds` are the wait for its turn and the
    whole time, `status` is 499 if the client went away before the answer. `bill` is that of all attempts.
    """

    method: str = ""
    endpoint: str = ""
    run: str | None = None
    key: str = ""
    model: str = ""
    upstream: str = ""
    strategy: str = ""
    fallback: str | None = None
    status: int = 499
    code: str | None = None
    error: str | None = None
    bill: Bill | None = None
    queued: float = 0.0
    seconds: float = 0.0

    def book(self, bill: Bill) -> None:
        """Add what an attempt has cost: the first upstream's, and its fallback's."""
        self.bill = bill if self.bill is None else self.bill + bill


recording: ContextVar[Record | None] = ContextVar("recording", default=None)
"""The record of the request that this task works for; tasks that it starts share it."""


def record() -> Record:
    """The record of the request under way; one that nobody reads outside of a request."""
    return recording.get() or Record()
