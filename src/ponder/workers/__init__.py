"""Processes for work that may hang, crash or eat memory, so that it can be killed without loss."""

from __future__ import annotations

from ponder.workers.pool import JobFailed, Undecided, Workers, shared_workers, wait

__all__ = ["JobFailed", "Undecided", "Workers", "shared_workers", "wait"]
