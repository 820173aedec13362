"""Where a reply states its answer: one file for each way of stating it, and what they share."""

from __future__ import annotations

__all__: list[str] = []
