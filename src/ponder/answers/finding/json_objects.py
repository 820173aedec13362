"""JSON that is, or holds, the answer; single quotes and trailing commas are forgiven."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ponder.answers.finding.fences import fences
from ponder.answers.finding.found import last_places

__all__ = ["Data", "keyed", "whole"]

_KEY = re.compile(r"[\"'](?:final[_ ]?)?answer[\"']\s{0,8}:", re.IGNORECASE)
_NAMES = ("answer", "finalanswer")
_TRAILING = re.compile(r",(\s{0,100}[}\]])")
_LONGEST_LITERAL = 5_000
_DEEPEST_LITERAL = 50
_KEYS_TRIED = 4


class Data(NamedTuple):
    """JSON in a text: where it begins and ends, its value, and whether it has a key for the answer."""

    start: int
    end: int
    value: Any

    @property
    def answer(self) -> Any:
        """What stands under the key for the answer; the whole value if there is none."""
        if isinstance(self.value, dict):
            for name, value in self.value.items():
                if _is_key(name):
                    return value
        return self.value


def keyed(text: str) -> Iterator[Data]:
    """Objects with an answer key, the last one first."""
    for key in list(_KEY.finditer(text))[: -_KEYS_TRIED - 1 : -1]:
        for start in last_places(text[: key.start()], "{"):
            found = _decode_at(text, start)
            if found is not None and isinstance(found.value, dict) and any(map(_is_key, found.value)):
                yield found
                break


def whole(text: str) -> Data | None:
    """A fenced JSON block, the last one, or a text that is nothing but JSON."""
    for fence in reversed(fences(text)):
        if fence.language in ("json", "jsonc", "json5") and (value := _decode(fence.content)) is not None:
            start = text.index(fence.content, fence.start)
            return Data(start, start + len(fence.content), value)
    bare = text.strip()
    if bare[:1] in ("{", "[") and (value := _decode(bare)) is not None:
        start = text.index(bare)
        return Data(start, start + len(bare), value)
    return None


def _is_key(name: Any) -> bool:
    return isinstance(name, str) and name.casefold().replace("_", "").replace(" ", "") in _NAMES


def _decode_at(text: str, start: int) -> Data | None:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        end = text.find("}", start) + 1
        while 0 < end <= start + _LONGEST_LITERAL:
            if text.count("{", start, end) == text.count("}", start, end):
                value = _literal(text[start:end])
                return None if value is None else Data(start, end, value)
            end = text.find("}", end) + 1
        return None
    return Data(start, end, value)


def _decode(text: str) -> dict[str, Any] | list[Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _literal(text)
    return value if isinstance(value, dict | list) else None


def _literal(text: str) -> Any:
    """JSON with a trailing comma, or with single quotes: a Python literal."""
    if len(text) > _LONGEST_LITERAL or max(map(text.count, "{[(")) > _DEEPEST_LITERAL:
        return None
    try:
        return json.loads(_TRAILING.sub(r"\1", text))
    except (ValueError, RecursionError):
        pass
    try:
        value = ast.literal_eval(text)
        json.dumps(value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return value
