"""The value that begins at a place: the rest of a line, or the whole block that follows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from ponder.answers.finding.fences import fences
from ponder.answers.finding.sentence_end import first_sentence
from ponder.answers.markup import bare

__all__ = ["value_at"]

_LONGEST_BLOCK = 20_000
_EDGE = " \t*_>"
_ITEM = re.compile(r"[ \t]{0,8}(?:[-*+•‣◦]|\(?\d{1,2}[.)])[ \t]{1,4}(?=\S)")
_EQUATION = re.compile(r"[ \t$]{0,4}\\?[A-Za-z]\w{0,10}(?:_\{?\w{1,8}\}?)?[ \t]{0,4}=[ \t]{0,4}[^=\s][^=\n]{0,80}")
_CODE = re.compile(
    r"(?:def|class|for|while|if|import|from|function|public|private|static|const|let|var|fn|func|return|print|with|try"
    r"|select|insert|update|create|delete|#include|#!)\b.{0,200}[:;{}()>\w]$",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(r"\\begin\{([a-z]{1,12}\*?)\}")


def value_at(text: str, start: int) -> str:
    """What is stated from `start` on; empty if nothing is."""
    text = text[: start + _LONGEST_BLOCK]
    end = _line_end(text, start)
    line = text[start:end].lstrip(_EDGE).rstrip(" \t*_")
    if line:
        at = text.index(line, start)
        return _block(text, at) or _more_equations(text, line, end) or _sentence(line)
    while end < len(text):
        start, end = end + 1, _line_end(text, end + 1)
        if text[start:end].strip(" \t*_>$"):
            break
        if "$" in text[start:end]:  # a displayed formula whose marks have lines of their own
            break
    at = start + len(text[start:end]) - len(text[start:end].lstrip())
    return _block(text, at) or _lines(text, start) or _sentence(text[start:end].lstrip(_EDGE).rstrip(" \t*_"))


def _sentence(line: str) -> str:
    return bare(first_sentence(line))


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _block(text: str, at: int) -> str:
    """What stands in marks of its own: code, a formula, a matrix, JSON."""
    if text.startswith(("```", "~~~"), at):
        blocks = fences(text[at:])
        if blocks and blocks[0].start == 0:
            return blocks[0].content.strip() if "\n" in text[at:] else ""
        return ""
    for left, right in (("\\[", "\\]"), ("$$", "$$")):
        if text.startswith(left, at) and (end := text.find(right, at + 2)) >= 0:
            return bare(text[at + 2 : end].strip())
    if environment := _ENVIRONMENT.match(text, at):
        close = f"\\end{{{environment[1]}}}"
        end = text.find(close, at)
        return text[at : end + len(close)] if end >= 0 else ""
    return _json(text, at) if text[at : at + 1] in ("{", "[") else ""


def _json(text: str, at: int) -> str:
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return ""
    rest = text[end : _line_end(text, end)].strip(" .`*_")
    return text[at:end] if isinstance(value, dict | list) and not rest else ""


def _lines(text: str, start: int) -> str:
    """Lines that belong together: a list, a table, a program without a fence, several equations."""
    lines = text[start:].split("\n")
    if items := _while(lines, lambda line: bool(_ITEM.match(line))):
        return ", ".join(value for item in items if (value := bare(_ITEM.sub("", item, count=1))))
    if rows := _while(lines, lambda line: line.lstrip().startswith("|")):
        return "\n".join(row.strip() for row in rows)
    if _CODE.match(lines[0].strip()):
        return _program(lines)
    if equations := _while(lines, lambda line: bool(_EQUATION.fullmatch(line.strip(" \t$.,;*")))):
        return ", ".join(bare(line) for line in equations)
    return ""


def _more_equations(text: str, line: str, end: int) -> str:
    """``x = 1`` on the line of the mark goes on with ``y = 2`` on the next one."""
    if not _EQUATION.fullmatch(line.strip(" $.,;*")):
        return ""
    more = _while(text[end + 1 :].split("\n"), lambda row: bool(_EQUATION.fullmatch(row.strip(" \t$.,;*"))))
    return ", ".join([bare(line), *map(bare, more)]) if more else ""


def _program(lines: list[str]) -> str:
    """Lines up to a blank one that no indented line follows."""
    kept: list[str] = []
    for position, line in enumerate(lines):
        following = lines[position + 1] if position + 1 < len(lines) else ""
        if not line.strip() and not following.startswith((" ", "\t")):
            break
        kept.append(line)
    return "\n".join(kept).strip() if len(kept) > 1 else ""


def _while(lines: list[str], fits: Callable[[str], bool]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if not fits(line):
            break
        kept.append(line)
    return kept
