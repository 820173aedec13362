"""On which line of a TOML document a value stands; the parsers that Python has do not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

__all__ = ["line_of_error", "lines_of"]

Path = tuple[str, ...]


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, on which the statement begins that first names a table or key.

    The lines up to some line are a document of their own exactly if no statement goes on after it. So the names that
    are new in it were named since the last line of which that is true.
    """
    lines, start, found = text.splitlines(keepends=True), 0, dict[Path, int]()
    for end in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        for path in _paths(document, ()):
            found.setdefault(path, start + 1)
        start = end
    return found


def line_of_error(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line, from 1, at which the parser stopped."""
    named = re.search(r"at line (\d+)", str(error))
    return int(named[1]) if named else max(1, len(text.splitlines()))


def _paths(value: Any, path: Path) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
