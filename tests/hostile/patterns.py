"""Finds regular expressions that may backtrack over a long text."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Sequence
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

from tests.hostile.stepping import SIGNS, fits

__all__ = ["faults", "modules", "patterns"]

BOUNDED = 2_000
"""Repeats of at most so many cost no more than a constant for each place in the text."""
_SIGNS = frozenset(map(chr, range(9, 127))) | set("é答×٣\u00a0“”‘’")
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)


def modules(package: str) -> list[ModuleType]:
    """A module, or all modules of a package."""
    whole = importlib.import_module(package)
    inside = pkgutil.walk_packages(getattr(whole, "__path__", []), f"{package}.")
    return [whole, *(importlib.import_module(module.name) for module in inside)]


def patterns(module: ModuleType) -> Iterator[tuple[str, re.Pattern[str]]]:
    """The compiled patterns of a module, and those that its functions write where they use them."""
    for name, value in vars(module).items():
        for pattern in _compiled(value):
            yield f"{module.__name__}.{name}", pattern
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and _uses_re(node.func) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield f"{module.__name__}, line {node.lineno}", re.compile(first.value)


def _uses_re(function: ast.expr) -> bool:
    name = ast.unparse(function)
    return name.startswith("re.") and name not in ("re.compile", "re.escape")


def _compiled(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif isinstance(value, dict):
        yield from _compiled(tuple(value.values()))
    elif isinstance(value, tuple):
        for one in value:
            yield from _compiled(one)


def faults(pattern: re.Pattern[str]) -> list[str]:
    """What makes a pattern take more than linear time; empty if nothing does.

    A repeat without a bound may be of single signs only, must end where nothing that fits it can follow, and must not
    be what a search begins with, unless nothing after it can fail: it would begin anew at every place of a run.
    """
    found: list[str] = []
    _check(list(parser.parse(pattern.pattern, pattern.flags)), pattern, frozenset(), found, leads=True)
    return found


def _check(items: list[Any], pattern: re.Pattern[str], after: frozenset[str], found: list[str], leads: bool) -> None:
    for index, (operation, argument) in enumerate(items):
        rest = items[index + 1 :]
        following = _first(rest, pattern) | (after if _may_be_empty(rest) else frozenset())
        begins = leads and index == 0
        if operation in _REPEATS:
            _, high, inner = argument
            if high is sre.MAXREPEAT or high > BOUNDED:
                found += _unbounded(list(inner), pattern, following, alone=_may_be_empty(rest), leads=begins)
            _check(list(inner), pattern, following | _first(list(inner), pattern), found, leads=False)
        elif operation is sre.SUBPATTERN:
            _check(list(argument[3]), pattern, following, found, begins)
        elif operation is sre.BRANCH:
            for branch in argument[1]:
                _check(list(branch), pattern, following, found, begins)
        elif operation in (sre.ASSERT, sre.ASSERT_NOT):
            _check(list(argument[1]), pattern, frozenset(), found, leads=False)


def _unbounded(
    inner: list[Any], pattern: re.Pattern[str], following: frozenset[str], *, alone: bool, leads: bool
) -> Iterator[str]:
    if len(inner) != 1 or inner[0][0] not in SIGNS:
        yield "a repeat without a bound of more than single signs"
    elif shared := _signs_of(inner[0], pattern) & following:
        yield f"a repeat without a bound runs over what follows it, e.g. {min(shared)!r}"
    if leads and not alone:
        yield "a search begins with a repeat without a bound"


def _signs_of(item: Any, pattern: re.Pattern[str]) -> frozenset[str]:
    return frozenset(sign for sign in _SIGNS if fits(item, sign, pattern.flags))


def _may_be_empty(items: Sequence[Any]) -> bool:
    """Whether a sequence can match nothing at all."""
    for operation, argument in items:
        parts = _parts(operation, argument)
        skipped = operation in _REPEATS and argument[0] == 0
        if operation in (*SIGNS, sre.GROUPREF) or (parts and not skipped and not any(map(_may_be_empty, parts))):
            return False
    return True


def _parts(operation: Any, argument: Any) -> list[list[Any]]:
    """The sequences of which an operation takes one."""
    if operation is sre.BRANCH:
        return [list(branch) for branch in argument[1]]
    if operation is sre.SUBPATTERN:
        return [list(argument[3])]
    if operation in (*_REPEATS, sre.POSSESSIVE_REPEAT):
        return [list(argument[2])]
    return [list(argument)] if operation is sre.ATOMIC_GROUP else []


def _first(items: list[Any], pattern: re.Pattern[str]) -> frozenset[str]:
    """The signs with which a sequence can begin."""
    found: frozenset[str] = frozenset()
    for operation, argument in items:
        if operation in SIGNS:
            return found | _signs_of((operation, argument), pattern)
        if operation is sre.GROUPREF:
            return _SIGNS
        for part in _parts(operation, argument):
            found |= _first(part, pattern)
        if not _may_be_empty([(operation, argument)]):
            return found
    return found
    return found
