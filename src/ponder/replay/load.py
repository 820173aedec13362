"""A recorded trace from disk, whatever its format."""

from __future__ import annotations

from pathlib import Path

from ponder.replay.importers.autotts import read_autotts
from ponder.replay.trace import Trace

__all__ = ["load_trace"]


def load_trace(file: Path) -> Trace:
    """The trace in a file, which is what AutoTTS publishes: ``.json``, plain or packed.

    Raises:
        TraceError: the file cannot be read, or is not what it should be.
    """
    return read_autotts(file)
