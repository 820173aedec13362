"""Processes for work that may hang, crash or eat memory, so that it can be killed without loss."""

from __future__ import annotations

from ponder.workers.pool import Dropped, JobFailed, Undecided, UsedUp, Workers, shared_workers, wait
from ponder.workers.share import Share

__all__ = ["Dropped", "JobFailed", "Share", "Undecided", "UsedUp", "Workers", "shared_workers", "wait"]
