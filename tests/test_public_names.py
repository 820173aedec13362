"""Each module says in `__all__` what it offers, and the package offers just that."""

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


def defined(tree: ast.Module) -> set[str]:
    """The functions and classes without a leading underscore at the top level of a module."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a module imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_names_all_that_it_offers(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    offered = getattr(module, "__all__", [])
    assert [name for name in offered if not hasattr(module, name)] == []
    assert defined(ast.parse((ROOT / path).read_text())) - set(offered) == set()


def test_the_names_of_the_package_are_those_that_a_type_checker_sees() -> None:
    (block,) = (node for node in ast.parse((ROOT / "ponder/__init__.py").read_text()).body if isinstance(node, ast.If))
    homes = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted([*homes, "__version__"]) == sorted(ponder.__all__) == dir(ponder)
    for name, home in homes.items():
        assert getattr(ponder, name) is getattr(importlib.import_module(str(home)), name)


@pytest.mark.parametrize("path", [path for path in MODULES if "core" in path.parts], ids=module_name)
def test_the_core_imports_only_itself_and_the_standard_library(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"ponder"}
    assert {name.split(".")[0] for name in imported(ast.parse((ROOT / path).read_text()))} <= allowed
