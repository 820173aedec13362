"""Strategies from a person's own Python file."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from ponder.core.errors import UsageError, describe
from ponder.core.registry import registered

__all__ = ["load_strategies"]


def load_strategies(files: Iterable[Path]) -> None:
    """Register the shipped strategies, then run each of `files`, which may register more.

    Raises:
        UsageError: a file cannot be read, raises, or registers nothing.
    """
    import ponder.strategies  # noqa: F401 - registers them

    for file in files:
        before = registered()
        _run(file)
        if registered() == before:
            raise UsageError(f"{file} registers no strategy; decorate a function in it with @ponder.strategy()")


def _run(file: Path) -> None:
    # A name of its own, so that the file may be called like a module that exists.
    name = f"ponder_loaded_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file, loader=None)
    if spec is None or spec.loader is None:
        raise UsageError(f"cannot load {file}: it is no Python file (NAME.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except OSError as error:
        raise UsageError(f"cannot load {file}: {error.strerror or error}") from error
    except Exception as error:
        raise UsageError(f"cannot load {file}: {describe(error)}{_line(error, file)}") from error


def _line(error: Exception, file: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    return f" (line {lines[-1]})" if lines else ""
