"""Compiled code on disk, so that it is compiled once on a machine and not at every start.

Numba's own cache knows a function by the file that it stands in. Ours are put together while the program runs, and call
functions of other files, so here a piece is found by all that went into it: the sources, the versions, the processor,
and the types of the arguments. A file that is damaged, or a place that cannot be written, is as if there were nothing.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
import types as python_types
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ponder.core.host.folders import cache_dir

__all__ = ["MOST_PIECES", "Kept", "folder", "made_from"]

MOST_PIECES = 200
"""Of some 100 kB each; what was written longest ago goes first."""

_CHECK = hashlib.sha256().digest_size

_PACKAGES = ("controllers", "core", "replay")
"""Where everything that we have compiled stands."""

_FIXED = ("builtins", "cmath", "math", "numpy", "operator", "ponder")
"""Modules whose names say enough, because their versions are known."""


class Kept:
    """The cache of one dispatcher of Numba, in place of Numba's own; `made_from` names what it is compiled from.

    `passed` is a dispatcher that the code passes on. Numba stands for it by its address, which nothing looks at: what
    is called was found out when the code was compiled. Any other address means that the code belongs to this process.
    """

    cache_path = None

    def __init__(self, made_from: str, passed: Any) -> None:
        self._made_from = made_from
        self._harmless = {f"numba.dynamic.globals.{id(passed):x}"}

    def known(self) -> bool:
        """True if it has been compiled before, for whatever types."""
        return any(folder().glob(f"{self._made_from}-*"))

    def load_overload(self, signature: Any, target: Any) -> Any:
        """What was compiled for these types, ready to be called, or None."""
        from numba.core.compiler import CompileResult

        compile_result: Any = CompileResult
        target.refresh()
        try:
            content = self._file(signature, target.codegen()).read_bytes()
            if hashlib.sha256(content[_CHECK:]).digest() != content[:_CHECK]:
                return None
            return compile_result._rebuild(target, *pickle.loads(content[_CHECK:]))
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be compiled again
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep it for the next process, if that can be done."""
        from numba.core.serialize import dumps

        dump: Any = dumps
        library = result.library
        if result.lifted or (library.has_dynamic_globals and not self._harmless.issuperset(library._dynamic_globals)):
            return
        try:
            *data, environments = result._reduce()
            # Without constants an environment is never looked into; a person's file could not be imported for its.
            data = dump((*data, tuple(one for one in environments if one.consts)))
        except Exception:  # noqa: BLE001 - Numba cannot write down everything
            return
        with suppress(OSError):
            _write(self._file(signature, library.codegen), data)

    def flush(self) -> None:
        """Nothing is held back."""

    def _file(self, signature: Any, codegen: Any) -> Path:
        for_what = hashlib.sha256(repr((signature, codegen.magic_tuple())).encode()).hexdigest()[:32]
        return folder() / f"{self._made_from}-{for_what}"


def folder() -> Path:
    """Where the pieces lie: in ``$NUMBA_CACHE_DIR``, or else in Ponder's cache folder. It may not exist yet."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen, "ponder") if chosen else cache_dir() / "compiled"


def made_from(program: python_types.FunctionType, kind: str = "") -> str | None:
    """A name for all that a compiled program depends on but the types; None if that cannot be told.

    Programs of another `kind` are others, even from the same source.
    """
    described = hashlib.sha256(_ours() + kind.encode())
    try:
        for part in _described(program, set()):
            described.update(part.encode() + b"\0")
    except _Untold:
        return None
    return described.hexdigest()[:32]


class _Untold(Exception):
    """It depends on something of which we cannot tell whether it is still the same."""


@cache
def _ours() -> bytes:
    """The versions, and all sources of ours."""
    import numba
    import numpy as np

    found = hashlib.sha256(repr((sys.version, numba.__version__, version("llvmlite"), np.__version__)).encode())
    root = Path(__file__).parents[2]
    for file in sorted(file for package in _PACKAGES for file in (root / package).rglob("*.py")):
        found.update(str(file.relative_to(root)).encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.digest()


def _described(value: Any, seen: set[int]) -> Iterator[str]:
    """Everything that a function is compiled from: its code, and what its names stand for."""
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            yield f"{type(value).__name__} {value!r}"
        case tuple():
            yield f"tuple {len(value)}"
            for one in value:
                yield from _described(one, seen)
        case frozenset():
            yield f"frozenset {sorted(map(repr, value))}"
        case python_types.CodeType():
            yield f"code {value.co_filename} {value.co_firstlineno} {value.co_code.hex()} {value.co_linetable.hex()}"
            yield f"{value.co_flags} {value.co_names} {value.co_varnames} {value.co_freevars} {value.co_cellvars}"
            yield from _described(value.co_consts, seen)
        case python_types.FunctionType():
            if id(value) not in seen:
                seen.add(id(value))
                yield from _function(value, seen)
        case python_types.ModuleType() if value.__name__ in _FIXED:
            yield f"module {value.__name__}"
        case type() | python_types.BuiltinFunctionType() if (value.__module__ or "").split(".")[0] in _FIXED:
            yield f"{value.__module__}.{value.__qualname__}"
        case _:
            raise _Untold


def _function(function: python_types.FunctionType, seen: set[int]) -> Iterator[str]:
    code = function.__code__
    yield from _described(code, seen)
    yield from _described(function.__defaults__, seen)
    for name in code.co_names:
        if name in function.__globals__:
            yield name
            yield from _described(function.__globals__[name], seen)
    for cell in function.__closure__ or ():
        yield from _described(cell.cell_contents, seen)


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, whoever else writes it at the same time."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(hashlib.sha256(data).digest() + data)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    dated = sorted(file.parent.iterdir(), key=lambda one: one.stat().st_mtime)
    for old in dated[:-MOST_PIECES]:
        old.unlink(missing_ok=True)
