"""Strategies and controllers from a person's own Python file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ponder.core.errors import UsageError
from ponder.engine.load_file import run_file
from ponder.engine.methods import runnable

__all__ = ["load_strategies"]


def load_strategies(files: Iterable[Path]) -> None:
    """Register the shipped strategies and controllers, then run each of `files`, which may register more.

    Raises:
        UsageError: a file cannot be read, raises, or registers nothing.
    """
    import ponder.controllers
    import ponder.strategies  # noqa: F401 - registers them

    for file in files:
        before = runnable()
        run_file(file)
        if runnable() == before:
            raise UsageError(f"{file} registers no strategy; decorate a function in it with @ponder.strategy()")
