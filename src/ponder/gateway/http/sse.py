"""Server-sent events."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["DONE", "event"]


DONE = b"data: [DONE]\n\n"


def event(data: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
