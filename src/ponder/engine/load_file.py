"""Python files of a person's own: they run with that person's rights, like any other program of theirs."""

from __future__ import annotations

import inspect
import sys
import traceback
import types
from functools import cache
from pathlib import Path

from ponder.core.errors import UsageError, describe
from ponder.core.methods.controller import Controller, register_controller, registered_controllers
from ponder.core.methods.registry import Strategy, register, registered

__all__ = ["load_methods", "run_file"]


def run_file(file: Path) -> None:
    """Run a Python file, for what it registers.

    Raises:
        UsageError: it cannot be read, is no Python, or raises; the text names the line.
    """
    if file.suffix != ".py":
        raise UsageError(f"cannot load {file}: it is no Python file (NAME.py)")
    # A name of its own, so that the file may be called like a module that exists.
    module = types.ModuleType(f"ponder_loaded_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        # Not by an import, which would leave a folder of byte code beside the file.
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), vars(module))
    except OSError as error:
        raise UsageError(f"cannot load {file}: {error.strerror or error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"cannot load {file}: {describe(error)}{_line(error, file)}") from error


def _line(error: BaseException, file: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    return f" (line {lines[-1]})" if lines else ""


def load_methods(file: Path) -> dict[str, Controller | Strategy]:
    """The controllers and strategies that a file defines, by name; what had one of these names before keeps it.

    A file that has not changed runs once.

    Raises:
        UsageError: see `run_file`; or it defines none, or a controller that does not take ``(view, plan, **options)``.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise UsageError(f"cannot load {file}: {error.strerror or error}") from error
    return dict(_defined(file, file.resolve(), state.st_mtime_ns, state.st_size))


@cache
def _defined(file: Path, place: Path, modified: int, size: int) -> dict[str, Controller | Strategy]:
    controllers, strategies = registered_controllers(), registered()
    run_file(file)
    made: dict[str, Controller | Strategy] = {
        name: found for name, found in registered().items() if strategies.get(name) is not found
    }
    made |= {name: found for name, found in registered_controllers().items() if controllers.get(name) is not found}
    for name in made:
        if name in controllers:
            register_controller(controllers[name])
        if name in strategies:
            register(strategies[name])
    if not made:
        raise UsageError(f"{file} defines no method; decorate a function in it with @controller() or @strategy()")
    for found in made.values():
        if isinstance(found, Controller):
            _check(file, found)
    return made


def _check(file: Path, found: Controller) -> None:
    place = f"{file}, line {found.program.__code__.co_firstlineno}: {found.name}"
    parameters = list(inspect.signature(found.program).parameters.values())
    if len(parameters) < 2 or any(one.kind is not one.POSITIONAL_OR_KEYWORD for one in parameters):
        raise UsageError(f"{place} must take view, plan and its options by name, nothing else")
