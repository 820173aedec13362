"""Defaults of the commands: from the environment, and below it from a file of the user's own."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError

__all__ = ["SETTINGS", "config_file", "defaults", "variable"]

SETTINGS: dict[str, type | tuple[type, ...]] = {
    "model": str, "strategy": str, "budget": str, "verifier": str, "price": str, "max_tokens": int,
    "temperature": (int, float), "thinking": (str, int),
}  # fmt: skip
"""What the file may set, and what it must be; each is the option of that name, ``--max-tokens`` for ``max_tokens``."""


def variable(name: str) -> str:
    """The environment variable that sets an option, where the command line does not."""
    return f"PONDER_{name.upper()}"


def config_file() -> Path:
    """``$PONDER_CONFIG``, or ``ponder/config.toml`` in the user's configuration directory."""
    if given := os.environ.get("PONDER_CONFIG"):
        return Path(given).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "ponder" / "config.toml"


def defaults() -> dict[str, Any]:
    """What the file sets; nothing if there is none.

    Raises:
        UsageError: it cannot be read, or holds something else than `SETTINGS`.
    """
    path = config_file()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get("PONDER_CONFIG"):
            raise UsageError(f"PONDER_CONFIG: there is no file {path}") from None
        return {}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from None
    for name, value in table.items():
        if name not in SETTINGS:
            raise UsageError(f"{path}: {name!r} is none of {', '.join(SETTINGS)}")
        if isinstance(value, bool) or not isinstance(value, SETTINGS[name]):
            raise UsageError(f"{path}: {name} = {value!r:.60} is of the wrong type")
    return table
