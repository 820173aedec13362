"""A person's program, with its loops counted, so that one without end is a mistake with a line."""

from __future__ import annotations

import ast
import linecache
import types as python_types
from collections.abc import Callable
from typing import Any

__all__ = ["MOST_TURNS", "EndlessLoop", "counted"]

MOST_TURNS = 2_000_000
"""Of all loops of one function together, between two yields."""

COUNTER, LIMIT, MISTAKE = "_ponder_turns", "_ponder_most", "_ponder_endless"


class EndlessLoop(Exception):
    """A loop turns without end."""

    def __str__(self) -> str:
        return f"has turned {MOST_TURNS:,} times in loops since its last yield"


_made: dict[Any, Any] = {}


def counted(function: Callable[..., Any]) -> Any:
    """The same function, and every plain function that it calls, raising `EndlessLoop` after `MOST_TURNS`.

    Lines stay where they are. Functions of libraries, and those whose source cannot be found, are left as they are.
    """
    if not isinstance(function, python_types.FunctionType) or _of_a_library(function):
        return function
    if function in _made:  # perhaps just begun: functions may call each other
        return _made[function]
    names = dict(function.__globals__)
    names |= zip(
        function.__code__.co_freevars, (cell.cell_contents for cell in function.__closure__ or ()), strict=True
    )
    names |= {LIMIT: MOST_TURNS, MISTAKE: EndlessLoop}
    copy = python_types.FunctionType(_code(function), names, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    _made[function] = copy
    for name in function.__code__.co_names + function.__code__.co_freevars:
        found = names.get(name)
        if isinstance(found, python_types.FunctionType):
            names[name] = counted(found)
    return copy


def _of_a_library(function: python_types.FunctionType) -> bool:
    """True for what was imported from a package; a file of a person's own is run as a module of no package."""
    return bool(function.__globals__.get("__package__")) or "site-packages" in function.__code__.co_filename


def _code(function: python_types.FunctionType) -> python_types.CodeType:
    """The function's code, compiled anew with counters; as it is where there is no source."""
    old = function.__code__
    linecache.checkcache(old.co_filename)
    try:
        tree = ast.parse("".join(linecache.getlines(old.co_filename)))
    except SyntaxError:
        return old
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == old.co_name and _first_line(node) == old.co_firstlineno:
            _Counting().visit(node)
            node.body.insert(0, _parsed(f"{COUNTER} = 0", node))
            module = compile(ast.Module([node], []), old.co_filename, "exec", dont_inherit=True)
            return next(
                one for one in module.co_consts if isinstance(one, python_types.CodeType) and one.co_name == old.co_name
            )
    return old


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


class _Counting(ast.NodeTransformer):
    """Counts in every loop, and begins anew after every yield."""

    def visit_While(self, node: ast.While) -> ast.While:
        self._count(node)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        self._count(node)
        return node

    def _count(self, node: ast.While | ast.For) -> None:
        self.generic_visit(node)
        check = f"if {COUNTER} > {LIMIT}: raise {MISTAKE}"
        node.body[:0] = [_parsed(f"{COUNTER} += 1", node), _parsed(check, node)]

    def visit_Expr(self, node: ast.Expr) -> list[ast.stmt]:
        return [node, _parsed(f"{COUNTER} = 0", node)] if isinstance(node.value, ast.Yield) else [node]


def _parsed(text: str, place: ast.stmt) -> ast.stmt:
    """A statement on the line of `place`."""
    [statement] = ast.parse(text).body
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt | ast.expr):
            ast.copy_location(node, place)
            node.end_lineno = place.lineno
    return statement
