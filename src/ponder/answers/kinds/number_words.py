"""Numbers that are written otherwise than in decimal: words, other bases, repeating decimals, factorials."""

from __future__ import annotations

import math
import re
from fractions import Fraction

__all__ = ["read_number"]

_SMALL = {
    word: number
    for number, words in enumerate(
        (
            "zero|null|nul|cero", "one|eins|uno|un", "two|zwei|deux|dos|due", "three|drei|trois|tres|tre",
            "four|vier|quatre|cuatro|quattro", "five|fünf|cinq|cinco|cinque", "six|sechs|seis|sei",
            "seven|sieben|sept|siete|sette", "eight|acht|huit|ocho|otto", "nine|neun|neuf|nueve|nove",
            "ten|zehn|dix|diez|dieci", "eleven|elf|onze|once|undici", "twelve|zwölf|douze|doce|dodici", "thirteen",
            "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
        )
    )
    for word in words.split("|")
    if word not in ("null", "un", "nul", "once", "sept", "sei", "elf")
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHORT_SCALES = {"k": 10**3, "thousand": 10**3, "million": 10**6, "mio": 10**6, "billion": 10**9, "bn": 10**9,
                 "trillion": 10**12, "dozen": 12, "hundred": 100, "lakh": 10**5, "crore": 10**7}  # fmt: skip
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
_PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4} | {
    f"{word}{plural}": number for word, number in _ORDINALS.items() if number > 2 for plural in ("", "s")
}
_CHINESE = {sign: number for number, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8}
_BASED = re.compile(r"([0-9A-Fa-f]{1,64})_\{?(\d{1,2})\}?")
_PREFIXED = re.compile(r"0(?:x([0-9a-f]{1,64})|b([01]{1,256})|o([0-7]{1,64}))", re.IGNORECASE)
_OVERLINE = re.compile(r"([+-]?)(\d{0,30})\.(\d{0,30})\\(?:overline|bar|dot)\s?\{?(\d{1,30})\}?")
_ROUND = re.compile(r"([+-]?)(\d{0,30})\.(\d{0,30})\((\d{1,30})\)")
_DOTS = re.compile(r"([+-]?)(\d{1,30})\.(\d{2,30})\s?(?:\.{2,4}|…|\\l?dots)")
_FACTORIAL = re.compile(r"(\d{1,3})(!{1,2})")
_ORDINAL = re.compile(r"(\d{1,12})(?:st|nd|rd|th)")
_SCALED = re.compile(
    r"([+-]?\d{1,12}(?:,\d{3}){0,4}(?:\.\d{1,12})?)"
    r"(?:([kKM])|(?: ?)(mio|bn)\b| (thousand|million|billion|trillion|dozen|hundred|lakh|crore))"
)
_IN = re.compile(r"(\d{1,12}) (?:in|out of) (\d{1,12})")
_LARGEST_FACTORIAL = 200


def read_number(text: str) -> Fraction | None:
    r"""The value of a number in words or in a notation of its own, None if `text` is none.

    ``twenty-one``, ``two thirds``, ``2.5 million``, ``1010_2``, ``0xFF``, ``0.\overline{3}``, ``5!``, ``3rd``,
    ``1 in 6``.
    """
    text = text.strip()
    if not text or len(text) > 200:
        return None
    for read in (_based, _repeating, _notations, _words, _chinese):
        if (value := read(text)) is not None:
            return value
    return None


def _based(text: str) -> Fraction | None:
    if match := _PREFIXED.fullmatch(text):
        digits, base = next((group, base) for group, base in zip(match.groups(), (16, 2, 8), strict=True) if group)
        return Fraction(int(digits, base))
    if (match := _BASED.fullmatch(text)) and 2 <= int(match[2]) <= 36:
        try:
            return Fraction(int(match[1], int(match[2])))
        except ValueError:
            return None
    return None


def _repeating(text: str) -> Fraction | None:
    if match := _OVERLINE.fullmatch(text) or _ROUND.fullmatch(text):
        return _repeated(match[1], match[2] or "0", match[3], match[4])
    if match := _DOTS.fullmatch(text):
        digits = match[3]
        for size in range(1, len(digits) // 2 + 1):
            period = digits[-size:]
            times = 3 if size == 1 and len(digits) > 2 else 2
            if digits.endswith(period * times):
                head = digits
                while head.endswith(period):
                    head = head[:-size]
                return _repeated(match[1], match[2], head, period)
    return None


def _repeated(sign: str, whole: str, head: str, period: str) -> Fraction:
    scale = 10 ** len(head)
    value = Fraction(int(whole + head or "0"), scale) + Fraction(int(period), scale * (10 ** len(period) - 1))
    return -value if sign == "-" else value


def _notations(text: str) -> Fraction | None:
    if (match := _FACTORIAL.fullmatch(text)) and int(match[1]) <= _LARGEST_FACTORIAL:
        step = len(match[2])
        return Fraction(math.prod(range(int(match[1]), 0, -step)))
    if match := _ORDINAL.fullmatch(text):
        return Fraction(int(match[1]))
    if (match := _IN.fullmatch(text)) and int(match[2]):
        return Fraction(int(match[1]), int(match[2]))
    if match := _SCALED.fullmatch(text):
        scale = "million" if match[2] == "M" else (match[2] or match[3] or match[4]).casefold()
        return Fraction(match[1].replace(",", "")) * _SHORT_SCALES[scale]
    return None


def _words(text: str) -> Fraction | None:
    words = text.casefold().replace("-", " ").split()
    sign = 1
    if words and words[0] in ("minus", "negative"):
        sign, words = -1, words[1:]
    if not words or len(words) > 20:
        return None
    if words in (["half"], ["one", "half"], ["a", "half"]):
        return sign * Fraction(1, 2)
    if words in (["a", "dozen"], ["dozen"], ["one", "dozen"]):
        return Fraction(12)
    if len(words) == 1 and words[0] in _ORDINALS:
        return Fraction(_ORDINALS[words[0]])
    if len(words) == 2 and words[1] in _PARTS and (count := {"a": 1, **_SMALL}.get(words[0])):
        return sign * Fraction(count, _PARTS[words[1]])
    value = _cardinal(words)
    return None if value is None else Fraction(sign * value)


def _cardinal(words: list[str]) -> int | None:
    """``two hundred and five thousand``: what follows is smaller than what it is added to."""
    total = current = 0
    room = 10**3  # what the next word has to stay below
    for at, word in enumerate(words):
        value = _SMALL.get(word, _TENS.get(word))
        if value is not None and value < room:
            current, room = current + value, 10 if word in _TENS else 0
        elif word == "hundred" and current < 100:
            current, room = (current or 1) * 100, 100
        elif word in _SCALES:
            total, current, room = total + (current or 1) * _SCALES[word], 0, 10**3
        elif not (word == "and" and 0 < at < len(words) - 1) and not (word == "a" and at == 0 and len(words) > 1):
            return None
    return total + current


def _chinese(text: str) -> Fraction | None:
    if not 0 < len(text) <= 12 or any(sign not in _CHINESE and sign not in _CHINESE_UNITS for sign in text):
        return None
    total = section = digit = 0
    for sign in text:
        if sign in _CHINESE:
            digit = _CHINESE[sign]
        elif (unit := _CHINESE_UNITS[sign]) >= 10**4:
            total, section, digit = total + (section + digit) * unit, 0, 0
        else:
            section, digit = section + (digit or 1) * unit, 0
    return Fraction(total + section + digit)
