r"""Answers in ``\boxed{...}``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ponder.answers.finding.found import TRIES, Found
from ponder.answers.finding.placeholders import is_placeholder
from ponder.answers.markup import bare

__all__ = ["boxed", "boxes"]

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s{0,4}(?:(\{)|\s(?P<word>[^\s{}$\\]{1,200}))")
_MARK = re.compile(r"\\.|[{}]")
_END = re.compile(r"[\n$]|\\[\])]|\Z")
_BETWEEN = re.compile(r"(?:[\s,;$.]|\\[\[\]()]|\\(?:quad|qquad|text\{ ?and ?\})|and|or|und|et|y|和){0,12}")


def boxes(text: str) -> Iterator[Found]:
    """The last boxes, from the end; those that only a comma or "and" sets apart are one answer."""
    group: list[tuple[int, int, str]] = []
    for box in _spans(text):
        if group and not _BETWEEN.fullmatch(text[box[1] : group[-1][0]][:80]):
            yield _together(group)
            group = []
        group.append(box)
    if group:
        yield _together(group)


def boxed(text: str) -> str | None:
    """What the last box of a short text says, None if there is none."""
    return next((found.value for found in boxes(text)), None)


def _together(group: list[tuple[int, int, str]]) -> Found:
    return Found(group[-1][0], ", ".join(dict.fromkeys(value for _, _, value in reversed(group))))


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    if "box" not in text:
        return
    for match in list(_BOX.finditer(text))[: -TRIES - 1 : -1]:
        end = match.end() if match["word"] else _closing_brace(text, match.end())
        value = bare(match["word"] or text[match.end() : end])
        # What holds another box says what that one says, and that one came first.
        if value and not _BOX.search(value) and not is_placeholder(value):
            yield match.start(), end + (match["word"] is None), value


def _closing_brace(text: str, start: int) -> int:
    """Where the brace before `start` closes; the end of the line if it never does."""
    depth = 1
    for mark in _MARK.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.start()
    end = _END.search(text, start)
    return end.start() if end else len(text)
