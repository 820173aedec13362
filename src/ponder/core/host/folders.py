"""Where on this machine Ponder keeps what it can make or fetch again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """``$PONDER_CACHE``, or else ``ponder`` in the user's cache folder. It may not exist yet."""
    chosen = os.environ.get("PONDER_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ponder"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ponder"
