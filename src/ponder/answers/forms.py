"""The normal form of an answer: enough to settle most comparisons without computer algebra."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ponder.answers.quantity import Quantity, read_quantity, same_quantity
from ponder.answers.spelling import COMMAND, TEXT_COMMAND, one_spelling, phrase

__all__ = ["LONGEST_FORMULA", "Form", "form_of", "settle"]

LONGEST_FORMULA = 2_000
"""Characters; a longer answer is compared as text only."""


@dataclass(frozen=True, slots=True)
class Form:
    """What an answer is, as far as that can be told cheaply.

    `key`: answers of equal key are equal. `quantity`: set for a plain number. `letter`: set for a choice such as
    ``B`` or ``(B) Paris``. `data`: the decoded value of a JSON object or array. `latex`: the formula to hand to
    computer algebra, None where that could not help. `unit`: the lone letter behind a number, a unit or a variable.
    """

    key: str
    quantity: Quantity | None = None
    letter: str = ""
    data: Any = None
    latex: str | None = None
    unit: str = ""


def settle(left: Form, right: Form) -> bool | None:
    """Whether two answers are the same; None when only computer algebra can tell."""
    if left.quantity is not None and right.quantity is not None:
        return same_quantity(left.quantity, right.quantity)
    if left.key == right.key:
        return True
    if left.letter and right.letter:
        return left.letter == right.letter and left.letter in (left.key, right.key)
    if left.data is not None and right.data is not None:
        return _same_data(left.data, right.data)
    if left.key.isalpha() and right.key.isalpha():
        return False  # an order such as ACB is no product, in which letters could change places
    if left.latex is None or right.latex is None or _differ_in_unit(left, right):
        return False
    return None


def _differ_in_unit(left: Form, right: Form) -> bool:
    """Metres are no kilometres; computer algebra passes over units."""
    units = [form.unit or (form.quantity.unit if form.quantity else "") for form in (left, right)]
    short, long = sorted(units, key=len)
    return short not in ("", long) and len(long) <= 2 and long != f"{short}r"  # an h is an hr


@lru_cache(maxsize=4096)
def form_of(answer: str) -> Form:
    """The normal form of `answer`; every string has one."""
    if len(answer) > LONGEST_FORMULA:
        return Form(key=phrase(answer))
    text = one_spelling(answer)
    if (quantity := read_quantity(text)) is not None:
        return Form(key=_dense(text), quantity=quantity, latex=text)
    if (data := _json(answer)) is not None:
        return Form(key=_dense(answer), data=data, latex=text if isinstance(data, list) else None)
    if _DATE.fullmatch(text) or _CLOCK.fullmatch(text):
        return Form(key=_LEADING_ZEROS.sub("", phrase(text)).replace(".", ""))  # p.m. is PM
    words = TEXT_COMMAND.sub(r"\1", text).strip()
    if (choice := _CHOICE.fullmatch(words)) is not None:
        return _choice(choice)
    if words.isalpha():
        return Form(key=phrase(words), latex=words if len(words) < _WORD else None)
    formula = _UNITS.sub("", text)
    if not formula or _PROSE.search(COMMAND.sub(" ", formula)):
        return Form(key=phrase(words or answer))
    unit = _LETTER_UNIT.fullmatch(text)
    return Form(key=_dense(formula), latex=formula, unit=unit[1].lower() if unit else "")


_WORD = 4
"""Letters in a row from which on they are a word and no product of variables."""
_PROSE = re.compile(rf"[^\W\d_]{{{_WORD},}}")
_LETTER_UNIT = re.compile(r".*\d\s+([A-Za-z])")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}|\d{4}([-/])\d{1,2}\1\d{1,2}")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:\s*[ap]\.?m\.?)?", re.IGNORECASE)
_LEADING_ZEROS = re.compile(r"\b0+(?=\d)")
_CHOICE = re.compile(r"([A-Za-z])|\(\s*([A-Za-z])\s*\)|(?:\(([A-Ja-j])\)\s*|([A-J])\s*[).:]\s+)(\w.*)", re.DOTALL)
_UNITS = re.compile(
    r"(?<=[\d})\]])(?:\s*\\(?:text|textrm|mathrm|mbox)\s*\{[^{}]*\}(?:\^\{?[23]\}?)?|(?:\ [a-z]{2,}){1,3})$"
)


def _choice(match: re.Match[str]) -> Form:
    bare = match[1] or match[2]
    if bare:
        return Form(key=bare.casefold(), letter=bare.casefold(), latex=bare)
    letter = (match[3] or match[4]).casefold()
    return Form(key=f"({letter}) {phrase(match[5])}", letter=letter)


def _dense(text: str) -> str:
    """A formula's key: spaces mean nothing there, but between two digits (``1 1/2``)."""
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


def _json(text: str) -> Any:
    """The JSON object or array that `text` is, or None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _same_data(left: Any, right: Any) -> bool:
    try:
        return _same_value(left, right)
    except RecursionError:
        return False


def _same_value(left: Any, right: Any) -> bool:
    """Equal structure; numbers by value, so that 1 is 1.0; texts as answers are compared."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same_value(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same_value, left, right))
    if isinstance(left, str) and isinstance(right, str):
        return left == right or settle(form_of(left), form_of(right)) is True
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)
