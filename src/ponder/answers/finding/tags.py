"""Answers in tags: ``<answer>5</answer>``, and GSM8K's ``#### 5``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ponder.answers.finding.found import TRIES, Found
from ponder.answers.finding.placeholders import is_placeholder
from ponder.answers.markup import bare

__all__ = ["hashes", "tags"]

_OPEN = re.compile(r"<(?:final_?)?answer>|<\|answer\|>|\[answer\]", re.IGNORECASE)
_CLOSE = re.compile(r"</?(?:final_?)?answer>|<\|/?answer\|>|<\|end[a-z_]{0,12}\|>|\[/answer\]", re.IGNORECASE)
_HASHES = re.compile(r"^[ \t]{0,4}#{4}[ \t]{0,4}([^\n#]{1,200})$", re.MULTILINE)


def tags(text: str) -> Iterator[Found]:
    """What stands in the last tags; one that is never closed reaches to the end."""
    for opening in list(_OPEN.finditer(text))[: -TRIES - 1 : -1]:
        closing = _CLOSE.search(text, opening.end())
        inner = text[opening.end() : closing.start() if closing else len(text)].strip()
        if inner.strip("</>") and not is_placeholder(inner):
            yield Found(opening.start(), inner)


def hashes(text: str) -> Iterator[Found]:
    """What follows ``####`` (GSM8K, Cobbe et al. 2021), headings too: the caller knows what a value looks like."""
    if "####" not in text:
        return
    for match in list(_HASHES.finditer(text))[: -TRIES - 1 : -1]:
        if (value := bare(match[1])) and not is_placeholder(value):
            yield Found(match.start(), value)
