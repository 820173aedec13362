"""What somebody gave, as an error shows it: enough to know it again, never more than a line."""

from __future__ import annotations

import reprlib

__all__ = ["LINE", "one_line", "quoted"]

LINE = 500
"""Characters of an error at most, where a stranger's words may be in it."""

_QUOTE = 80

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = _QUOTE
_short.maxlevel = 2
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = 4


def quoted(value: object) -> str:
    """The `repr` of a value, cut to at most 80 characters; a large value costs no more than a small one."""
    try:
        text = _short.repr(value)
    except ValueError:
        text = "a number with more digits than Python writes"
    return text if len(text) <= _QUOTE else f"{text[: _QUOTE - 3]}..."


def one_line(text: str) -> str:
    """A text with words of others in it: one line of at most `LINE` characters, what cannot be printed escaped."""
    line = " ".join(text[: 4 * LINE].split())
    line = line if line.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in line)
    return line if len(line) <= LINE else f"{line[: LINE - 3]}..."
