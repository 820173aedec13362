"""Of a calculation, its result."""

from __future__ import annotations

import re

from ponder.answers.finding.short import is_value
from ponder.answers.kinds.spelling import COMMAND
from ponder.answers.markup import bare

__all__ = ["result_of"]

_LETTER = re.compile(r"[^\W\d_]")
_EQUALS = re.compile(r"\s(?:equals|is equal to|is|makes|gives|ist|ergibt|est|fait|es|è|é)\s", re.IGNORECASE)
_UNITS = re.compile(
    r"\d\s?(?:[^\W\d_]{1,3}|%)(?![^\W\d_])|(?<![^\W\d_])(?:of|x|times|plus|minus|and)(?![^\W\d_])", re.IGNORECASE
)


def result_of(value: str) -> str:
    """The last number of ``5 + 9 = 14`` or ``17 * 23 equals 391``; anything else as it is."""
    calculation, equals, last = value.rpartition("=")
    if not equals:
        parts = _EQUALS.split(value)
        if len(parts) != 2 or not re.search(r"\d", parts[0]) or _LETTER.search(_UNITS.sub(" ", parts[0])):
            return value
        calculation, last = "", parts[1]
    elif _LETTER.search(COMMAND.sub(" ", calculation)) or calculation.endswith(("<", ">", "!")):
        return value
    number = bare(last.lstrip(" ≈~"))
    return number if is_value(number) else value
