"""Lists: names, numbers or equations in any order; in brackets, in this order."""

from __future__ import annotations

import re
from collections.abc import Callable

from ponder.answers.kinds.reading import Reading

__all__ = ["read_list"]

_SPLIT = re.compile(r"\s?[,;]\s{1,3}(?:and |or |und |et |y )?|\s?;\s?|,| (?:and|or|und|et|oder|ou|y) ")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,10}")
_OR = re.compile(r"\b(?:or|oder|ou)\b")
_AND = re.compile(r"\b(?:and|und|et)\b")
_BETWEEN = re.compile(r"(?:between|both|either) ", re.IGNORECASE)
_WEEKDAY = re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE)
_MOST = 60
_MOST_WORDS = 5

Read = Callable[[str], Reading]


def read_list(text: str, read: Read) -> Reading | None:
    """Two or more short items with commas, semicolons, "and" or "or" between them; None for a sentence."""
    if len(text) > 2_000 or _WEEKDAY.search(text):
        return None
    said = _BETWEEN.sub("", text.strip(), count=1)
    braced = re.fullmatch(r"\\?\{(.{1,1900}?)\\?\}", said, re.DOTALL)
    inner = braced[1] if braced else said
    if re.search(r"[(\[{\\]|:\s", inner) and not re.fullmatch(r"[^\[\]\\]*", inner):
        return None
    parts = _parts(inner)
    if not 2 <= len(parts) <= _MOST or any(not part or len(part.split()) > _MOST_WORDS for part in parts):
        return None
    if any("(" in part or ")" in part for part in parts):
        return None
    items = tuple(read(part) for part in parts)
    if all(item.kind == "name" for item in items):
        return Reading("sequence", ", ".join(item.normal for item in items), items=items)
    joined = " or " if _OR.search(inner) else " and " if _AND.search(inner) and "," not in inner else ", "
    latex = said if all(item.latex or item.quantity for item in items) else None
    return Reading("list", ", ".join(sorted(item.normal for item in items)), items=items, value=joined, latex=latex)


def _parts(text: str) -> list[str]:
    """The items; a comma inside of ``1,000`` parts nothing where others do."""
    if ", " in text or ";" in text:
        text = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
    elif _THOUSANDS.fullmatch(text):
        return [text]
    return [part.strip() for part in _SPLIT.split(text)]
