"""Long texts, compressed: prompts and replies are most of a store, and shrink to less than half."""

from __future__ import annotations

import zlib
from typing import Any

__all__ = ["PACKED_FROM", "packed", "unpacked"]

PACKED_FROM = 4_096
"""Characters from which on a text is compressed; a shorter one would save less than a page."""

_LEVEL = 1
"""Seven megabytes take 0.07 s, in the event loop of a gateway; the usual level takes twice that for a tenth less."""


def packed(value: Any) -> Any:
    """A long text as bytes, everything else as it is."""
    if not isinstance(value, str) or len(value) < PACKED_FROM:
        return value
    return zlib.compress(value.encode(), _LEVEL)


def unpacked(value: Any) -> Any:
    """The inverse of `packed`.

    Raises:
        zlib.error: the bytes are none of `packed`.
    """
    return zlib.decompress(value).decode() if isinstance(value, bytes) else value
