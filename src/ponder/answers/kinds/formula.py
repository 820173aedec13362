"""Formulas: expressions, equations, intervals, sets, matrices, which only computer algebra can compare."""

from __future__ import annotations

import re

from ponder.answers.kinds.reading import Reading
from ponder.answers.kinds.spelling import COMMAND, TEXT_COMMAND

__all__ = ["LONGEST_FORMULA", "measured", "read_formula"]

LONGEST_FORMULA = 2_000
"""Characters; a longer answer is compared as text only."""

_WORD = 4
"""Letters in a row from which on they are a word and no product of variables."""
_PROSE = re.compile(rf"[^\W\d_]{{{_WORD},}}")
_UNITS = re.compile(
    r"(?<=[\d})\]])(?:\s?\\(?:text|textrm|mathrm|mbox)\s?\{[^{}]{0,60}\}(?:\^\{?[23]\}?)?|(?: [a-z]{2,24}){1,3})$"
)
_MOD = re.compile(r"\\?\(?\s?\\?p?b?mod\s?\{?\s?(\w{1,20})\}?\s?\)?")
_CONGRUENT = re.compile(r".{1,80}(?:\\p?b?mod|\bmod\b).{1,40}")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_ANGLE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s?\^\s?\{?\\circ\s?\}?")
_ENDS_OPEN = re.compile(r"[+*/^_=<>-]\s?$")
_MATHS = re.compile(r"[\d=<>^_{}()\[\]+*/|\\-]|^[^.]{1,3}$")
_DEEPEST_POWER = 2
_DEEPEST_NESTING = 20
_LONGEST_EXPONENT = 4  # digits
_LONGEST_NUMBER = 60  # digits
_FACTORIAL = re.compile(r"\d{4}\s?!|!\s?!\s?!|\)\s?!|\}\s?!")


def read_formula(text: str) -> Reading | None:
    """Mathematics in LaTeX or plain signs; `text` is in one spelling."""
    if _CONGRUENT.fullmatch(text):
        return Reading("congruence", re.sub(r"\s|\\", "", _MOD.sub(r"mod\1", text)))
    formula = _UNITS.sub("", text)
    words = TEXT_COMMAND.sub(r"\1", formula)
    if (
        not formula
        or not _MATHS.search(formula)
        or _PROSE.search(COMMAND.sub(" ", words))
        or _ENDS_OPEN.search(formula)
    ):
        return None
    if formula.replace(" ", "").isalpha() and (len(formula) > 1 and " " in formula):
        return None
    if _TRIGONOMETRY.search(formula):
        formula = _ANGLE.sub(r"(\1 \\cdot \\pi / 180)", formula)
    return Reading("formula", _dense(formula), latex=formula if measured(formula) else None)


def _dense(text: str) -> str:
    """A formula's normal form: spaces mean nothing there, but between two digits; one sign in braces needs none."""
    text = re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)
    return re.sub(r"([_^])\{(\w)\}", r"\1\2", text)


def measured(formula: str) -> bool:
    """Whether computer algebra can evaluate it at all: towers of powers and factorials grow beyond any machine."""
    if _nested(formula) > _DEEPEST_NESTING:
        return False
    depth = deepest = 0
    opened: list[bool] = []
    power = False
    for sign in formula:
        if sign == "^":
            power = True
            continue
        if sign == "{":
            opened.append(power)
            depth += power
        elif sign == "}" and opened:
            depth -= opened.pop()
        deepest = max(deepest, depth + (power and sign != "{"))
        power = power and sign == " "
    if deepest > _DEEPEST_POWER or (deepest > 1 and not re.search(r"[A-Za-z]", COMMAND.sub("", formula))):
        return False
    exponents = re.findall(r"\^\s?\{?\s?[+-]?\s?(\d{1,400})", formula)
    digits = max(map(len, re.findall(r"\d+", formula)), default=0)
    return (
        all(len(one) <= _LONGEST_EXPONENT for one in exponents)
        and digits <= _LONGEST_NUMBER
        and not _FACTORIAL.search(formula)
    )


def _nested(formula: str) -> int:
    """How deep its brackets of any kind go."""
    depth = deepest = 0
    for sign in formula:
        depth += (sign in "({[") - (sign in ")}]")
        deepest = max(deepest, depth)
    return deepest
