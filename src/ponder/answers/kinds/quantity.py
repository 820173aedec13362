"""Plain numbers as people and models write them, exactly, with the unit, the label or the percent sign around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ponder.answers.kinds.number_words import read_number

__all__ = ["Quantity", "read_quantity", "same_quantity"]

_INTEGER = (
    r"(?:\d{1,3}(?:,\d{3}){1,20}(?!\d)|\d{1,2}(?:,\d{2}){1,9},\d{3}(?!\d)|\d{1,3}(?:\ \d{3}){1,20}(?!\d)|\d{1,400})"
)
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d{{0,400}})?|\.\d{{1,400}})"
_POWER = r"(?:[eE](?P<exponent>[+-]?\d{1,3})|\s?(?:\\times|\\cdot|\*|x)\s{0,3}10\s?\^\s?\{?(?P<ten>[+-]?\d{1,3})\}?)"
_PART = r"(?:\{\s?(?P<%s>[+-]?[\d.]{1,60})\s?\}|(?P<%s>\d))"
_NUMBER = re.compile(
    rf"""
    (?P<minus>[+-]?)\s?
    (?P<money>(?:[$€£¥₹₩₽]|(?:USD|US\$|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|Rs\.?)(?=\s?[\d.]))?)\s?
    (?P<inner>[+-]?)\s?
    (?:
        (?:(?P<whole>\d{{1,30}})\s?)?\\frac\s?{_PART % ("over", "o")}\s?{_PART % ("under", "u")}
      | (?:(?P<mixed>\d{{1,30}})\ +)?(?P<top>{_INTEGER})\s?/\s?(?P<bottom>{_INTEGER})
      | (?P<decimal>{_DECIMAL}){_POWER}?
    )
    """,
    re.VERBOSE,
)
_COMMA = re.compile(r"(?<![\d.,])(?:(\d{1,3}(?:\.\d{3}){1,10}),(\d{1,30})|(\d{1,30}),(\d{1,2}|\d{4,30}))(?![\d.,])")
_POINTS = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,10}(?![\d.,])")
_LABEL = re.compile(r"(\\?[A-Za-z]{1,20}(?:_\{?\w{1,10}\}?|\([A-Za-z]\))?)\s?=\s?(?![=<>])")
_HEDGE = re.compile(
    r"(?:currently|now|about|approximately|approx\.?|roughly|around|circa|ca\.?|exactly|precisely|a total of|"
    r"\\approx|\\sim|~|=)\s?(?=[\d$€£¥.+-]|[a-z])",
    re.IGNORECASE,
)
_TEXT_UNIT = re.compile(r"\\(?:text|textrm|mathrm|mbox|textbf|mathbf|rm)\s?\{([^{}]{0,60})\}")
_UNIT = re.compile(
    r"[A-Za-zµμΩ]{1,24}(?:\^-?[1-4])?(?:(?: per |[ /*·-])[A-Za-zµμΩ]{1,24}(?:\^-?[1-4])?){0,3}|per [A-Za-z]"
)
_DEGREE = re.compile(r"\^\s?\{?\s?\\circ\s?\}?\s?")
_MORE = re.compile(r"(?:,| and)? (\d{1,9}(?:\.\d{1,9})?)\s?([A-Za-z]{1,12})(?![A-Za-z])")
_MONEY = {
    "$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "₹": "rupee", "rs": "rupee", "rs.": "rupee", "inr": "rupee",
    "usd": "dollar", "us$": "dollar", "us dollar": "dollar", "eur": "euro", "gbp": "pound", "jpy": "yen",
    "chf": "franc", "cny": "yuan", "rmb": "yuan", "₩": "won", "krw": "won", "₽": "ruble", "rub": "ruble",
    "¢": "cent", "buck": "dollar",
}  # fmt: skip
_NO_UNIT = re.compile(
    r"\b(?:pi|sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp|mod|or|and|to|inf|oo|infinity|factorial|more|less|than|least|most|"
    r"not|if|bc|ad|bce|ce|north|south|east|west|plus|minus|times|over|is|are|by|in|out|of|divided|choose)\b"
)
_LETTER_UNITS = frozenset("msghdNJWVAKLlCFTtP")
_REST = re.compile(r" (?:old|long|high|tall|wide|deep|away|each|apiece|in total|total|altogether|left|only)$")

_LONGEST = 1_000
_LONGEST_UNIT = 40
_DIGITS = 6
"""A decimal of so many places and significant digits may stand for the value it rounds."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what was written around it.

    `places` counts the digits after the decimal point, `digits` the significant ones; both are 0 for an integer or a
    fraction, which are exact. `label` is the ``x`` of ``x = 5``, `unit` the ``cm`` of ``5 cm``; empty when absent.
    `parts` are what follows, each with its unit, as in ``2 h 30 min``.
    """

    value: Fraction
    places: int = 0
    digits: int = 0
    percent: bool = False
    label: str = ""
    unit: str = ""
    parts: tuple[tuple[Fraction, str], ...] = ()


def read_quantity(text: str) -> Quantity | None:
    """The number that `text` is, or None if it is anything else. `text` has no layout commands and no outer ``$``."""
    if len(text) > _LONGEST:
        return None
    label = _LABEL.match(text)
    text = text[label.end() :] if label else text
    name = re.sub(r"[{}]", "", label[1]) if label else ""
    if hedge := _HEDGE.match(text):
        text = text[hedge.end() :]
    if (value := read_number(text)) is not None:
        return Quantity(value, label=name)
    return _written(text, name) or _worded(text, name)


def _written(text: str, label: str) -> Quantity | None:
    text = _POINTS.sub(lambda found: found[0].replace(".", ","), _COMMA.sub(_with_point, text))
    match = _NUMBER.match(text)
    value = None if match is None else _value(match)
    if match is None or value is None:
        return None
    money = _MONEY.get(match["money"].casefold(), "")
    rest = text[match.end() :]
    scale, rest = _scale(rest)
    tail = _read_tail(rest)
    if tail is None:
        return _in_parts(value, rest, label)
    percent, unit = tail
    negative = (match["minus"] == "-") != (match["inner"] == "-")
    places, digits = _precision(match["decimal"] or "", match["exponent"] or match["ten"])
    value *= -scale if negative else scale
    return Quantity(value, 0 if scale > 1 else places, digits, percent, label, unit or money)


def _with_point(number: re.Match[str]) -> str:
    """A decimal comma as a point."""
    if number[1]:
        return f"{number[1].replace('.', '')}.{number[2]}"
    return f"{number[3]}.{number[4]}"


def _scale(rest: str) -> tuple[int, str]:
    word, _, behind = rest.strip().partition(" ")
    value = read_number(f"1 {word}") if word in ("thousand", "million", "billion", "trillion", "dozen") else None
    return (1, rest) if value is None else (int(value), behind)


def _worded(text: str, label: str) -> Quantity | None:
    """``seven continents``, ``twelve dollars``: a number in words, then a unit."""
    words = text.split(" ")
    for cut in range(min(len(words) - 1, 5), 0, -1):
        value = read_number(" ".join(words[:cut])) if words[0].isalpha() or "-" in words[0] else None
        if value is not None and (tail := _read_tail(" ".join(words[cut:]))) is not None:
            return None if words[0] in _AMBIGUOUS else Quantity(value, percent=tail[0], label=label, unit=tail[1])
    return None


_AMBIGUOUS = frozenset(("first", "second", "third", "one", "half", "a", "quarter", "dix", "dos", "due", "tre", "six"))
"""A word that may be a number, or the beginning of a name."""


def _in_parts(value: Fraction, rest: str, label: str) -> Quantity | None:
    """``2 h 30 min``, ``6 ft 2 in``: all parts have a unit."""
    first = re.match(r"\s?([A-Za-z]{1,12})(?![A-Za-z])", rest)
    if first is None:
        return None
    at, parts = first.end(), []
    while more := _MORE.match(rest, at):
        parts.append((Fraction(more[1]), _unit_name(more[2])))
        at = more.end()
    if at < len(rest) or not parts or len(parts) > 4:
        return None
    return Quantity(value, label=label, unit=_unit_name(first[1]), parts=tuple(parts))


def same_quantity(left: Quantity, right: Quantity) -> bool | None:
    """Whether both mean the same; None if that depends on what their units are.

    What only one of them states (unit, label, percent sign) does not set them apart.
    """
    if left.label and right.label and left.label != right.label:
        return False
    if left.parts or right.parts:
        same = (left.value, left.unit, left.parts) == (right.value, right.unit, right.parts)
        return True if same else (None if left.unit and right.unit else False)
    if left.unit and right.unit and left.unit != right.unit:
        return _same_money(left, right)
    if left.percent != right.percent:
        share, plain = (left, right) if left.percent else (right, left)
        return plain.value in (share.value, share.value / 100)
    return left.value == right.value or _rounds(left, right) or _rounds(right, left)


def _same_money(left: Quantity, right: Quantity) -> bool | None:
    """Cents are hundredths of a dollar or a euro; other currencies are not converted, and other units elsewhere."""
    units = {left.unit, right.unit}
    if "cent" in units and units & {"dollar", "euro"}:
        cents, whole = (left, right) if left.unit == "cent" else (right, left)
        return cents.value == 100 * whole.value
    currencies = set(_MONEY.values()) - {"pound"}
    return False if units <= currencies | {"pound"} else None


def _rounds(short: Quantity, other: Quantity) -> bool:
    """0.333333 stands for 1/3, rounded or cut off; 0.33 does not, and 1.0000001 is not 1."""
    if short.places < _DIGITS or short.digits < _DIGITS or (other.places and other.places <= short.places):
        return False
    return abs(short.value - other.value) < Fraction(1, 10**short.places)


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
    if bare.casefold() in _MONEY:
        return False, _MONEY[bare.casefold()]
    unit = _TEXT_UNIT.sub(r" \1 ", _DEGREE.sub(" deg", bare))
    unit = re.sub(r"[{}.]", "", re.sub(r"\s+(\^?)", r" \1", unit).replace(" ^", "^")).strip()
    unit = _REST.sub("", unit)
    if not _UNIT.fullmatch(unit) or _NO_UNIT.search(unit.casefold()):
        return None
    if len(unit) == 1 and unit == bare and (unit not in _LETTER_UNITS or tail == bare):  # 5x and 5m may be products
        return None
    if unit == bare and tail == bare and len(unit) <= 3 and unit.islower() and unit not in _JOINED:
        return None  # 3ab
    name = _unit_name(unit)
    return False, _MONEY.get(name, name)


_JOINED = frozenset(
    (
        "cm",
        "mm",
        "km",
        "kg",
        "mg",
        "ml",
        "min",
        "sec",
        "hrs",
        "hr",
        "ft",
        "lb",
        "lbs",
        "oz",
        "mph",
        "pm",
        "am",
        "deg",
        "nm",
    )
)
"""Units of two or three letters that are written without a space behind the number."""


def _unit_name(unit: str) -> str:
    """A unit in the singular; only abbreviations keep their capitals."""
    words = [word if len(re.sub(r"\W.*", "", word)) <= 3 else word.casefold() for word in re.split(r"[ ]", unit)]
    if words[0].casefold() in ("degree", "degrees", "deg"):
        words = ["deg" + words[1][:1].upper()] if len(words) > 1 else ["degree"]
    return " ".join(_singular(word) for word in words if word != "of").replace("deg ", "deg")


_PLURALS = {"feet": "foot", "inches": "inch", "lenses": "lens", "pennies": "penny", "pence": "penny", "leaves": "leaf"}


def _singular(word: str) -> str:
    if word in _PLURALS or word.endswith(("ches", "shes", "xes")):
        return _PLURALS.get(word, word[:-2])
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
