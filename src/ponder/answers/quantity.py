"""Plain numbers as people and models write them, exactly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Quantity", "read_quantity", "same_quantity"]

_INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:\ \d{3})+|\d+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d*)?|\.\d+)"
_POWER = r"(?:[eE](?P<exponent>[+-]?\d{1,3})|\s*(?:\\times|\\cdot|\*|x)\s*10\^\{?(?P<ten>[+-]?\d{1,3})\}?)"
_PART = r"(?:\{\s*(?P<%s>[+-]?[\d.]+)\s*\}|(?P<%s>\d))"
_NUMBER = re.compile(
    rf"""
    (?P<minus>[+-]?)\s*(?P<money>[$€£¥]?)\s*(?P<inner>[+-]?)\s*
    (?:
        (?:(?P<whole>\d+)\s*)?\\frac\s*{_PART % ("over", "o")}\s*{_PART % ("under", "u")}
      | (?:(?P<mixed>\d+)\ +)?(?P<top>{_INTEGER})\s*/\s*(?P<bottom>{_INTEGER})
      | (?P<decimal>{_DECIMAL}){_POWER}?
    )
    """,
    re.VERBOSE,
)
_LABEL = re.compile(r"(\\?[A-Za-z]+(?:_\{?\w{1,10}\}?|\([A-Za-z]\))?)\s*=\s*(?![=<>])")
_TEXT_UNIT = re.compile(r"\\(?:text|textrm|mathrm|mbox|textbf|mathbf|rm)\s*\{([^{}]*)\}")
_UNIT = re.compile(r"(?:[A-Za-z]{2,}|per [A-Za-z])(?:[ /]+[A-Za-z]+)*(?:\^\{?[23]\}?)?|[A-Za-z](?:\^\{?[23]\}?)?")
_DEGREE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?")
_MONEY = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_NO_UNIT = re.compile(r"\b(?:pi|sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp|mod|or|and|to|inf|oo|infinity|factorial)\b")

_LONGEST_UNIT = 40
_DIGITS = 6
"""A decimal of so many places and significant digits may stand for the value it rounds, as in math-verify."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what was written around it.

    `places` counts the digits after the decimal point, `digits` the significant ones; both are 0 for an integer or a
    fraction, which are exact. `label` is the ``x`` of ``x = 5``, `unit` the ``cm`` of ``5 cm``; empty when absent.
    """

    value: Fraction
    places: int = 0
    digits: int = 0
    percent: bool = False
    label: str = ""
    unit: str = ""


def read_quantity(text: str) -> Quantity | None:
    """The number that `text` is, or None if it is anything else. `text` has no layout commands and no outer ``$``."""
    label = _LABEL.match(text)
    start = label.end() if label else 0
    match = _NUMBER.match(text, start)
    if match is None:
        return None
    tail = _read_tail(text[match.end() :])
    value = _value(match)
    if tail is None or value is None:
        return None
    percent, unit = tail
    places, digits = _precision(match["decimal"] or "", match["exponent"] or match["ten"])
    return Quantity(
        value=-value if (match["minus"] == "-") != (match["inner"] == "-") else value,
        places=places,
        digits=digits,
        percent=percent,
        label=re.sub(r"[{}]", "", label[1]) if label else "",
        unit=unit or _MONEY.get(match["money"], ""),
    )


def same_quantity(left: Quantity, right: Quantity) -> bool:
    """Whether both mean the same; what only one of them states (unit, label, percent sign) does not set them apart."""
    if left.unit and right.unit and left.unit != right.unit:
        return False
    if left.label and right.label and left.label != right.label:
        return False
    if left.percent != right.percent:
        share, plain = (left, right) if left.percent else (right, left)
        return plain.value in (share.value, share.value / 100)
    return left.value == right.value or _rounds(left, right) or _rounds(right, left)


def _rounds(short: Quantity, other: Quantity) -> bool:
    """0.333333 stands for 1/3, rounded or cut off; 0.33 does not."""
    if short.places < _DIGITS or short.digits < _DIGITS:
        return False
    return abs(short.value - other.value) < Fraction(1, 10**_DIGITS)


def _value(match: re.Match[str]) -> Fraction | None:
    try:
        if match["decimal"] is not None:
            power = int(match["exponent"] or match["ten"] or 0)
            return _fraction(match["decimal"]) * Fraction(10) ** power
        if match["top"] is not None:
            part = _fraction(match["top"]) / _fraction(match["bottom"])
            return part + int(match["mixed"] or 0)
        part = _fraction(match["over"] or match["o"]) / _fraction(match["under"] or match["u"])
        return part + int(match["whole"] or 0)
    except (ValueError, ZeroDivisionError):
        return None


def _fraction(digits: str) -> Fraction:
    return Fraction(re.sub(r"[, ]", "", digits))


def _precision(decimal: str, power: str | None) -> tuple[int, int]:
    _, point, behind = decimal.partition(".")
    if not point or power:
        return 0, 0
    return len(behind), len(re.sub(r"\D", "", decimal).lstrip("0"))


def _read_tail(tail: str) -> tuple[bool, str] | None:
    """Percent sign and unit behind a number; None if something else stands there."""
    bare = tail.strip()
    if not bare:
        return False, ""
    if len(bare) > _LONGEST_UNIT:
        return None
    if bare in ("%", "percent", "per cent", "\\text{percent}"):
        return True, ""
    degrees = _DEGREE.sub(" degrees ", bare)
    unit = _TEXT_UNIT.sub(r" \1 ", degrees).replace(".", "").strip()
    if not _UNIT.fullmatch(unit):
        return None
    unit = re.sub(r"[{}]", "", unit)
    lone_letter = len(re.sub(r"\W.*", "", unit)) == 1
    if _NO_UNIT.search(unit.lower()) or (lone_letter and unit == bare):  # 5 m may be 5 times m
        return None
    return False, " ".join(_singular(word) for word in re.split(r"[ /]+", unit.lower()))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") else word
