"""Fenced blocks of a text, read line by line."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Fence", "fences", "only_code"]

_MARKS = ("```", "~~~")
_PLAIN = {"", "text", "txt", "plaintext", "output", "console", "markdown", "md", "math", "latex", "tex"}


class Fence(NamedTuple):
    """A block: where it begins and ends, marks included, the word behind the first mark, and what it holds."""

    start: int
    end: int
    language: str
    content: str


def fences(text: str) -> list[Fence]:
    """All fenced blocks; one that is never closed reaches to the end."""
    found: list[Fence] = []
    at, opened, mark, language, body = 0, -1, "", "", 0
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if opened < 0 and bare.startswith(_MARKS) and "`" not in bare[3:]:
            opened, mark, language, body = at, bare[:3], bare[3:].strip("`~ ").casefold(), at + len(line)
        elif opened >= 0 and bare.startswith(mark) and not bare.strip("`~"):
            found.append(Fence(opened, at + len(line), language, text[body:at].strip("\n")))
            opened = -1
        at += len(line)
    if opened >= 0:
        found.append(Fence(opened, at, language, text[body:].strip("\n")))
    return found


def only_code(text: str) -> str | None:
    """The program, if the text has exactly one block of code, with or without words around it."""
    code = [fence for fence in fences(text) if fence.content.strip() and fence.language not in _PLAIN]
    if not code and text.lstrip().startswith(_MARKS):
        code = [fence for fence in fences(text) if fence.content.strip()]
    return code[0].content if len(code) == 1 else None
