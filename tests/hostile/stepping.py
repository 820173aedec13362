"""Counts the steps of regular expressions, where the clock of a busy machine would say nothing.

`Steps` puts a counter in the place of every compiled pattern of some modules. Each call is done by the real pattern,
and walked once more by a matcher that tries alternatives in the same order as `re` does and counts what it tries.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

__all__ = ["SIGNS", "Runaway", "Steps", "end_of", "fits", "steps_of"]

MOST = 20_000_000
"""Steps after which a count gives up."""

_CATEGORIES = {
    sre.CATEGORY_DIGIT: str.isdecimal,
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_WORD: lambda sign: sign.isalnum() or sign == "_",
    sre.CATEGORY_NOT_DIGIT: lambda sign: not sign.isdecimal(),
    sre.CATEGORY_NOT_SPACE: lambda sign: not sign.isspace(),
    sre.CATEGORY_NOT_WORD: lambda sign: not (sign.isalnum() or sign == "_"),
}


SIGNS = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)
"""Operations that take exactly one sign."""


def fits(item: tuple[Any, Any], sign: str, flags: int) -> bool:
    """Whether one sign fits one of `SIGNS` with its argument."""
    operation, argument = item
    if operation is sre.ANY:
        return sign != "\n" or bool(flags & re.DOTALL)
    if operation is sre.IN:
        return _in(argument, sign, flags)
    return _is(argument, sign, flags) == (operation is sre.LITERAL)


def _is(code: int, sign: str, flags: int) -> bool:
    return ord(sign) == code or bool(flags & re.IGNORECASE and sign.lower() == chr(code).lower())


def _in(members: Sequence[Any], sign: str, flags: int) -> bool:
    found = negated = False
    for kind, argument in members:
        if kind is sre.NEGATE:
            negated = True
        elif kind is sre.LITERAL:
            found = found or _is(argument, sign, flags)
        elif kind is sre.RANGE:
            cases = {sign, sign.lower(), sign.upper()} if flags & re.IGNORECASE else {sign}
            found = found or any(argument[0] <= ord(case) <= argument[1] for case in cases if len(case) == 1)
        else:
            found = found or _CATEGORIES[argument](sign)
    return found != negated


_ZERO_WIDTH = (sre.AT, sre.ASSERT, sre.ASSERT_NOT)


class Runaway(AssertionError):
    """A pattern took more steps than anybody would wait for."""


class _Walk:
    """One pattern over one text; `steps` counts the places where it tried something."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self.steps = 0
        self._text = text
        self._flags = pattern.flags
        self._groups: dict[int, tuple[int, int]] = {}
        self._tree = list(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE | re.UNICODE))

    def at(self, start: int, whole: bool = False) -> int | None:
        """Where a match that begins at `start` ends."""
        self._groups = {}
        for end in self._sequence(self._tree, 0, start):
            if not whole or end == len(self._text):
                return end
        return None

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST:
            raise Runaway

    def _sequence(self, items: Sequence[Any], index: int, at: int) -> Iterator[int]:
        # Single signs are walked in a loop: only what has alternatives needs a generator of its own.
        while index < len(items):
            self._step()
            operation, argument = items[index]
            if (sign := self._one(operation, argument, at)) is None:
                for end in self._many(operation, argument, at):
                    yield from self._sequence(items, index + 1, end)
                return
            if not sign:
                return
            at, index = at + 1, index + 1
        yield at

    def _one(self, operation: Any, argument: Any, at: int) -> bool | None:
        """Whether the sign at a place fits an operation that takes exactly one; None if it takes more or none."""
        if operation not in SIGNS:
            return None
        return at < len(self._text) and fits((operation, argument), self._text[at], self._flags)

    def _many(self, operation: Any, argument: Any, at: int) -> Iterator[int]:
        """Where an operation can end that takes any number of signs."""
        if operation in _ZERO_WIDTH:
            return iter([at] if self._zero(operation, argument, at) else [])
        if operation is sre.BRANCH:
            return chain.from_iterable(self._sequence(list(branch), 0, at) for branch in argument[1])
        if operation is sre.SUBPATTERN:
            return self._group(argument[0], list(argument[3]), at)
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._repeat(*argument, at, lazy=operation is sre.MIN_REPEAT)
        if operation is sre.POSSESSIVE_REPEAT:
            return islice(self._repeat(*argument, at, lazy=False), 1)
        if operation is sre.ATOMIC_GROUP:
            return islice(self._sequence(list(argument), 0, at), 1)
        if operation is sre.GROUPREF:
            said = slice(*self._groups.get(argument, (0, 0)))
            return iter([at + len(self._text[said])] if self._text.startswith(self._text[said], at) else [])
        raise NotImplementedError(f"{operation} is not counted")

    def _zero(self, operation: Any, argument: Any, at: int) -> bool:
        if operation is sre.AT:
            return self._holds(argument, at)
        return self._looks(argument, at) == (operation is sre.ASSERT)

    def _group(self, number: int | None, items: list[Any], at: int) -> Iterator[int]:
        for end in self._sequence(items, 0, at):
            if number:
                self._groups[number] = at, end
            yield end

    def _looks(self, argument: Any, at: int) -> bool:
        direction, inner = argument
        if direction > 0:
            return next(self._sequence(list(inner), 0, at), None) is not None
        low, high = inner.getwidth()
        starts = range(max(0, at - high), at - low + 1)
        return any(at in self._sequence(list(inner), 0, start) for start in starts)

    def _repeat(self, low: int, high: int, inner: Any, at: int, *, lazy: bool) -> Iterator[int]:
        items = list(inner)
        if len(items) == 1 and items[0][0] in SIGNS:
            yield from self._run(low, high, items[0], at, lazy=lazy)
        else:
            yield from self._nested(low, high, items, at, 0, lazy=lazy)

    def _run(self, low: int, high: int, item: Any, at: int, *, lazy: bool) -> Iterator[int]:
        """A repeat of one sign."""
        count = 0
        while count < low or (not lazy and count < high):
            self._step()
            if not self._one(*item, at + count):
                break
            count += 1
        if count < low:
            return
        if not lazy:
            for taken in range(count, low - 1, -1):
                self._step()
                yield at + taken
            return
        yield at + count
        while count < high and self._one(*item, at + count):
            self._step()
            count += 1
            yield at + count

    def _nested(self, low: int, high: int, items: Any, at: int, count: int, *, lazy: bool) -> Iterator[int]:
        self._step()
        if lazy and count >= low:
            yield at
        if count < high:
            for end in self._sequence(items, 0, at):
                if end > at or count < low:
                    yield from self._nested(low, high, items, end, count + 1, lazy=lazy)
        if not lazy and count >= low:
            yield at

    def _holds(self, where: Any, at: int) -> bool:
        text = self._text
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            lines = self._flags & re.MULTILINE and where is sre.AT_BEGINNING
            return at == 0 or bool(lines and text[at - 1] == "\n")
        if where is sre.AT_END:
            return at == len(text) or text[at:] == "\n" or bool(self._flags & re.MULTILINE and text[at] == "\n")
        if where is sre.AT_END_STRING:
            return at == len(text)
        word = _CATEGORIES[sre.CATEGORY_WORD]
        edge = (at > 0 and word(text[at - 1])) != (at < len(text) and word(text[at]))
        return edge == (where is sre.AT_BOUNDARY)


def end_of(pattern: re.Pattern[str], text: str, start: int) -> int | None:
    """Where the match ends that `pattern` has at `start`: what the matcher here finds, to be held against `re`."""
    return _Walk(pattern, text).at(start)


def steps_of(pattern: re.Pattern[str], way: str, text: str, start: int = 0, end: int | None = None) -> int:
    """The steps of `pattern.search(text, start, end)`, or of another `way` of that kind."""
    walk = _Walk(pattern, text if end is None else text[:end])
    stop = len(text) if end is None else min(end, len(text))
    if way in ("match", "fullmatch"):
        walk.at(start, whole=way == "fullmatch")
        return walk.steps
    at = start
    while at <= stop:
        if (found := walk.at(at)) is None:
            at += 1
        elif way == "search":
            break
        else:
            at = max(found, at + 1)
    return walk.steps


class _Counter:
    """A pattern that counts."""

    def __init__(self, pattern: re.Pattern[str], steps: Steps) -> None:
        self._pattern = pattern
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._pattern, name)
        if name in ("search", "match", "fullmatch", "finditer", "findall"):

            def counted(text: str, *span: int) -> Any:
                self._steps.count += steps_of(self._pattern, name, text, *span)
                return real(text, *span)

            return counted
        if name in ("sub", "split"):

            def changed(*arguments: Any, **options: Any) -> Any:
                self._steps.count += steps_of(self._pattern, name, arguments[1 if name == "sub" else 0])
                return real(*arguments, **options)

            return changed
        return real


class Steps:
    """While it is open, the patterns of `modules` count, and so do the lines of Python that those modules run."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self.count = 0
        self._modules = modules
        self._before: list[tuple[ModuleType, str, Any]] = []

    def __enter__(self) -> Steps:
        for module in self._modules:
            for name, value in list(vars(module).items()):
                if (counting := self._counting(value)) is not value:
                    self._before.append((module, name, value))
                    setattr(module, name, counting)
        self._files = {module.__file__ for module in self._modules}
        self._tracer = sys.gettrace()
        sys.settrace(self._traced)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._tracer)
        for module, name, value in self._before:
            setattr(module, name, value)

    def _counting(self, value: Any) -> Any:
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
            return _Counter(value, self)
        if isinstance(value, dict) and value and all(isinstance(one, re.Pattern) for one in value.values()):
            return {key: _Counter(one, self) for key, one in value.items()}
        return value

    def _traced(self, frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        self.count += 1
        return self._traced
