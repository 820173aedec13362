"""Strategies and controllers of the operator's own: loaded at the start, by name for every client from then on."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import ponder.api  # noqa: F401 - registers Ponder's own
from ponder.core.errors import UnknownName, UsageError, describe
from ponder.core.methods.controller import Controller, register_controller
from ponder.core.methods.registry import Strategy, register
from ponder.engine.load_file import run_file
from ponder.engine.methods import runnable
from ponder.gateway.admission.fanout import OWN

__all__ = ["load_strategies"]

_SPEC = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def load_strategies(source: str, folder: Path) -> None:
    """Register what `source` defines: a Python file, which counts from `folder`, or ``MODULE:NAME``.

    Raises:
        UsageError: it cannot be read, raises, defines no strategy, or takes the name of one of Ponder's own.
    """
    before = runnable()
    if source.endswith(".py"):
        run_file(folder / source)
    elif _SPEC.fullmatch(source):
        _import(*source.split(":"))
    else:
        raise UsageError(f"{source!r} is neither a Python file (NAME.py) nor MODULE:NAME")
    made = [name for name, found in runnable().items() if before.get(name) is not found]
    if not made and source.endswith(".py"):
        raise UsageError(f"{source} registers no strategy; decorate a function in it with @ponder.strategy()")
    taken = [name for name in made if name in OWN]
    if taken:  # its fan-out would be computed from the options of that one
        raise UsageError(f"{source} defines {taken[0]!r}, which Ponder has already; give it another name")


def _import(module: str, name: str) -> None:
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(f"cannot import {module}: {describe(error)}") from error
    if not hasattr(found, name):
        raise UnknownName(f"name in {module}", name, [known for known in dir(found) if not known.startswith("_")])
    match getattr(found, name):
        case Strategy() as made:
            register(made)
        case Controller() as made:
            register_controller(made)
        case other:
            kind = type(other).__name__
            raise UsageError(f"{module}:{name} is {kind}, not a strategy; decorate it with @ponder.strategy()")
