"""Each module says in `__all__` what it offers, and offers nothing else."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ponder

ROOT = Path(ponder.__path__[0]).parent
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "ponder").rglob("*.py") if path.stat().st_size)


def module_name(path: Path) -> str:
    """``ponder/core/branch.py`` is ``ponder.core.branch``."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def defined(tree: ast.Module) -> Iterator[str]:
    """The names without a leading underscore that the top level of a module defines."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a module imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_public_names_equal_all(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    names = set(defined(ast.parse((ROOT / path).read_text())))
    if path.name == "__init__.py":
        assert names <= set(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)
    else:
        assert sorted(names) == sorted(module.__all__)


@pytest.mark.parametrize("path", [path for path in MODULES if "core" in path.parts], ids=module_name)
def test_the_core_imports_only_itself_and_the_standard_library(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"ponder"}
    assert {name.split(".")[0] for name in imported(ast.parse((ROOT / path).read_text()))} <= allowed
