"""All kinds of answers in the order in which they are tried, and when two answers are the same."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ponder.answers.kinds.choice import read_choice, same_choice
from ponder.answers.kinds.code import read_code
from ponder.answers.kinds.formula import LONGEST_FORMULA, read_formula
from ponder.answers.kinds.lists import read_list
from ponder.answers.kinds.moments import read_date, read_time
from ponder.answers.kinds.names import read_name
from ponder.answers.kinds.quantity import read_quantity, same_quantity
from ponder.answers.kinds.reading import Reading
from ponder.answers.kinds.spelling import TEXT_COMMAND, one_spelling
from ponder.answers.kinds.text import read_text, read_yes_no, same_text

__all__ = ["KINDS", "read", "settle"]

KINDS = {
    "json": "an object or a list of JSON; equal structure, numbers by value, texts as answers",
    "yes/no": "yes, no, true, false, with or without a reason behind a comma",
    "choice": "a letter, alone or with the text of the choice; the letter decides",
    "date": "a date in words or as ISO 8601 has it, a month, a day of the week",
    "time": "a time of day, on a clock of 12 or 24 hours",
    "number": "a number, with or without label or percent sign; by value",
    "quantity": "a number with a unit or a currency; by value, after conversion of units, also as a number without",
    "ratio": "a ratio such as 3:4; in lowest terms",
    "name": "versions, scores, telephone numbers, addresses, formulas of chemistry; sign by sign",
    "code": "a program, a query or a call; Python by its syntax tree, others without white space",
    "sequence": "several names; in their order",
    "list": "several answers; in any order",
    "congruence": "a residue; sign by sign",
    "formula": "an expression, equation, interval, set or matrix; by computer algebra",
    "text": "anything else; as words, without case, articles and outer punctuation",
}
"""Kind -> what it is and how two of it are compared; in the order in which they are tried."""

_SCIENTIFIC = re.compile(r"(\d)[eE]([+-]?\d{1,3})\b")
_RATIO = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) ?(?::| to ) ?(\d{1,12}(?:\.\d{1,9})?)")


@lru_cache(maxsize=4096)
def read(answer: str) -> Reading:
    """The answer as the first kind that fits; text fits always. Linear in its length."""
    if len(answer) > LONGEST_FORMULA:
        return (read_code(answer) if "\n" in answer else None) or read_text(answer)
    if (data := _json(answer)) is not None:
        return data
    text = one_spelling(answer)
    words = TEXT_COMMAND.sub(r"\1", text).strip()
    if words.casefold().removeprefix("the ") in ("empty set", "null set"):
        text = words = "\\emptyset"
    readings: Sequence[Callable[[], Reading | None]] = (
        lambda: read_yes_no(words),
        lambda: read_choice(words),
        lambda: read_date(words),
        lambda: read_time(words),
        lambda: _ratio(words),
        lambda: read_name(answer if "\\" not in answer and "$" not in answer else words),
        lambda: _number(text),
        lambda: read_code(answer),
        lambda: read_list(words, read),
        lambda: _letters(words),
        lambda: read_formula(text),
    )
    return next((found for one in readings if (found := one()) is not None), None) or read_text(words or answer)


def settle(left: Reading, right: Reading) -> bool | None:
    """Whether two answers are the same; None when only computer algebra, or a table of units, can tell."""
    if left.kind == right.kind:
        return _of_one_kind(left, right)
    kinds = {left.kind, right.kind}
    if kinds in ({"choice", "number"}, {"choice", "text"}):
        return False
    if kinds in ({"json", "list"}, {"json", "formula"}):
        return None if left.latex and right.latex else False
    if kinds == {"list", "number"}:
        number, several = (left, right) if left.kind == "number" else (right, left)
        pair = _pair(number)
        return False if pair is None else _same_items(several, pair)
    if left.latex and right.latex and kinds <= {"number", "list", "formula", "choice"}:
        return None
    return left.normal == right.normal and kinds <= {"formula", "choice", "name", "code", "text"}


def _of_one_kind(left: Reading, right: Reading) -> bool | None:
    if left.normal == right.normal and left.kind not in ("list", "number", "json"):
        return True
    match left.kind:
        case "number" if left.quantity is not None and right.quantity is not None:
            return same_quantity(left.quantity, right.quantity) or _as_lists(left, right)
        case "json":
            return _same_data(left.value, right.value)
        case "choice":
            return same_choice(left, right)
        case "list":
            return _same_items(left, right)
        case "text":
            return same_text(left, right)
        case "formula" if left.latex is not None and right.latex is not None:
            return None
    return False


def _number(text: str) -> Reading | None:
    quantity = read_quantity(text)
    if quantity is None:
        return None
    unit = f" {quantity.unit}" if quantity.unit else ""
    label = f"{quantity.label} = " if quantity.label else ""
    latex = _SCIENTIFIC.sub(r"\1\\times10^{\2}", text)  # computer algebra takes 1e-20 for e less 20
    return Reading("number", f"{label}{quantity.value}{'%' * quantity.percent}{unit}", quantity=quantity, latex=latex)


def _ratio(text: str) -> Reading | None:
    match = _RATIO.fullmatch(text)
    if match is None or not any(float(part) for part in match.groups()):
        return None
    first, second = (int(part.replace(".", "")) for part in match.groups())
    if "." in text:
        return Reading("ratio", f"{match[1]}:{match[2]}")
    common = math.gcd(first, second)
    return Reading("ratio", f"{first // common}:{second // common}")


def _letters(text: str) -> Reading | None:
    """An order such as ACB is no product, in which letters could change places."""
    return read_text(text) if text.isalpha() and len(text) > 1 else None


def _as_lists(left: Reading, right: Reading) -> bool | None:
    """``1,2`` may be a decimal, and may be two numbers."""
    pairs = _pair(left), _pair(right)
    if pairs[0] and pairs[1]:
        return _same_items(pairs[0], pairs[1])
    return same_quantity(left.quantity, right.quantity) if left.quantity and right.quantity else False


def _pair(number: Reading) -> Reading | None:
    """The list that a number with a decimal comma may be."""
    parts = (number.latex or "").split(",")
    if len(parts) != 2 or not all(part.isdecimal() and len(part) <= 9 for part in parts):
        return None
    items = tuple(_number(part) or read_text(part) for part in parts)
    return Reading("list", ", ".join(parts), items=items, value=", ")


def _same_items(left: Reading, right: Reading) -> bool | None:
    """The same items in any order; an "or" is no "and", but between solutions it may be a comma."""
    if len(left.items) != len(right.items):
        return None if left.latex and right.latex and left.value == right.value == " or " else False
    joined = {left.value, right.value}
    numbers = all(item.quantity for item in (*left.items, *right.items))
    if joined not in ({", "}, {" and "}, {" or "}, {", ", " and "}) and not (numbers and ", " in joined):
        return False
    unmatched = list(right.items)
    for item in left.items:
        verdicts = [settle(item, other) for other in unmatched]
        if True not in verdicts:
            return None if None in verdicts and left.latex and right.latex else False
        unmatched.pop(verdicts.index(True))
    return True


def _json(text: str) -> Reading | None:
    """The JSON object or array that `text` is."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict | list) or (value in ([], {}) and text.strip() != "[]"):
        return None
    latex = one_spelling(text) if isinstance(value, list) and value else None
    return Reading("json", json.dumps(value, sort_keys=True, ensure_ascii=False), value=value, latex=latex)


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
        return left == right or settle(read(left), read(right)) is True
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right or math.isclose(left, right, rel_tol=1e-12)
    return bool(left == right)
