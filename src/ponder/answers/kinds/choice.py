"""The letter of a multiple choice."""

from __future__ import annotations

import re

from ponder.answers.kinds.reading import Reading
from ponder.answers.kinds.text import phrase

__all__ = ["read_choice", "same_choice"]

_CHOICE = re.compile(
    r"(?:(?:option|choice|answer) )?(?:([A-Za-z])\.?|\(\s?([A-Za-z])\s?\)|([A-Za-z])\))"
    r"|(?:\(([A-Ja-j])\)\s{0,3}|([A-J])\s?[).:]\s{1,3})(?![A-Z]\.)(\w.*)",
    re.DOTALL | re.IGNORECASE,
)


def read_choice(text: str) -> Reading | None:
    """``B``, ``(b)``, ``option B``, ``B) Paris``; a lone letter may be a variable, too."""
    if len(text) > 500 or (match := _CHOICE.fullmatch(text.strip())) is None:
        return None
    if bare := match[1] or match[2] or match[3]:
        return Reading("choice", bare.casefold(), letter=bare.casefold(), latex=bare if len(text) == 1 else None)
    if match[5] and not match[5].isupper():
        return None
    letter = (match[4] or match[5]).casefold()
    return Reading("choice", f"({letter}) {phrase(match[6])}", letter=letter)


def same_choice(left: Reading, right: Reading) -> bool:
    """The same letter, where one of them says no more than that."""
    return left.letter == right.letter and left.letter in (left.normal, right.normal)
