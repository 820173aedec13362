"""What is the same only letter by letter: versions, scores, telephone numbers, addresses, formulas of chemistry."""

from __future__ import annotations

import re

from ponder.answers.kinds.number_words import read_number
from ponder.answers.kinds.reading import Reading
from ponder.answers.kinds.text import plain

__all__ = ["read_name"]

_SUBSCRIPT = re.compile(r"_\{([A-Za-z0-9]{1,8})\}")
_VERSION = re.compile(r"(?:version |v\.? ?)?(\d{1,9}(?:\.\d{1,9}){2,6}(?:[-+.]?[a-z]{1,8}\d{0,4})?)", re.IGNORECASE)
_V_NUMBER = re.compile(r"(?:version |v\.? ?)(\d{1,9}(?:\.\d{1,9})?)", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3}){2,10}")
_RANGE = re.compile(r"(?:pages? |pp\. ?)?(\+?\(?\d[\d()]{0,12}(?: ?- ?\(?\d[\d()]{0,12}){1,6})")
_PHONE = re.compile(r"\+?\(?\d{1,5}\)?(?:[ -]\(?\d{2,8}\)?){2,6}|\(\d{2,5}\) ?\d{2,5}(?:[ -]\d{2,5}){0,3}|\+\d{6,15}")
_PARTS = re.compile(r"\d{1,9}(?:/\d{1,9}){2,6}")
_SEQUENCE = re.compile(r"[+-]?\d{1,9}(?: [+-]?\d{1,9}){1,60}")
_GROUPED = re.compile(r"\d{1,3}(?: \d{3}){1,8}")
_COLONS = re.compile(r"[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:/\d{1,3})?", re.IGNORECASE)
_HEX_COLOUR = re.compile(r"#[0-9a-f]{3,8}", re.IGNORECASE)
_URL = re.compile(r"([a-z]{2,10}://[^\s/]{1,200})(/\S{0,2000})?", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@]{1,100}@[^\s@]{1,100}\.[^\s@]{1,30}")
_PATH = re.compile(r"(?:~|\.{0,2})/[\w.-][\w./-]{0,500}")
_MIXED = re.compile(r"[A-Za-z0-9]{2,40}(?:[+-]|\^\{?\d?[+-]\}?)?")
_COEFFICIENT = re.compile(r"\d{1,20}[a-z]{1,3}")
_MINUTES = re.compile(r"\d{1,4}(?:'|''|\"|′|″)(?: ?\d{1,2}(?:'|''|\"|′|″))?")
_CHESS = re.compile(r"(?:[KQRBN][a-h]?[1-8]?x?[a-h][1-8]|(?:[a-h]x)?[a-h][1-8](?:=[QRBN])?|O-O(?:-O)?)[+#]?")
_TWO_LETTERS = re.compile(r"[A-Za-z]{2}")
_SHORT_WORDS = {
    "ai", "am", "an", "as", "at", "by", "da", "do", "du", "eu", "es", "go", "he", "hi", "if", "in", "is", "it",
    "ja", "je", "la", "le", "me", "mu", "my", "no", "nu", "of", "oh", "ok", "on", "or", "ou", "pi", "pm", "si",
    "so", "to", "tu", "tv", "ui", "uk", "un", "up", "us", "we", "xi",
}  # fmt: skip
_SCIENTIFIC = re.compile(r"\d{1,30}[eE][+-]?\d{1,6}")
_LETTERS_SIGN = re.compile(r"[A-Za-z]{1,12}(?:\+{1,2}|-|#)")


def read_name(text: str) -> Reading | None:
    """A string of signs in which each counts, and none is reckoned with."""
    said = _SUBSCRIPT.sub(r"_\1", plain(text).strip(' "*$')).rstrip(".,;")
    if not said or len(said) > 2_000 or "\\" in said:
        return None
    for read in (_version, _digits, _address, _signs, _symbol):
        if normal := read(said):
            return Reading("name", normal)
    return None


def _version(said: str) -> str:
    if match := _VERSION.fullmatch(said):
        return "" if _THOUSANDS.fullmatch(said) else match[1].casefold()
    return match[1] if (match := _V_NUMBER.fullmatch(said)) else ""


def _digits(said: str) -> str:
    """Scores, ranges, telephone numbers, sequences: digits with something between them."""
    if match := _RANGE.fullmatch(said):
        return match[1].replace(" ", "")
    if _PHONE.fullmatch(said) and not _GROUPED.fullmatch(said):
        return re.sub(r"[()]", "", said).replace("-", " ")
    if _SEQUENCE.fullmatch(said) and not _GROUPED.fullmatch(said):
        return said
    return said if _PARTS.fullmatch(said) or _MINUTES.fullmatch(said) else ""


def _address(said: str) -> str:
    if match := _URL.fullmatch(said):
        return match[1].casefold() + (match[2] or "").rstrip("/")
    if _MAIL.fullmatch(said) or _HEX_COLOUR.fullmatch(said) or (_COLONS.fullmatch(said) and not said.isdigit()):
        return said.casefold()
    return said if _PATH.fullmatch(said) else ""


def _signs(said: str) -> str:
    """``C6H12O6``, ``R2D2``, ``e4``, ``Na+``, ``C++``: letters and digits mixed, or a sign behind letters."""
    if read_number(said) is not None:
        return ""
    words = said.replace("_", "").split(" ")
    if _LETTERS_SIGN.fullmatch(said) or all(_CHESS.fullmatch(word) for word in words):
        return " ".join(words)
    if "_" in said and not re.fullmatch(r"(?:[A-Z][a-z]?_?\d{0,3}){1,12}", said):
        return ""
    if len(words) > 1 or not _MIXED.fullmatch(words[0]) or _COEFFICIENT.fullmatch(words[0]):
        return ""
    word = words[0]
    digits, letters = re.search(r"\d", word), re.search(r"[A-Za-z]", word)
    if not letters or not (digits or word[-1] in "+-"):
        return ""
    return "" if _SCIENTIFIC.fullmatch(word) else word


def _symbol(said: str) -> str:
    """Two letters are a symbol or a unit, in which case counts: ``CO`` and ``Co``, ``mg`` and ``Mg``."""
    return said if _TWO_LETTERS.fullmatch(said) and said.casefold() not in _SHORT_WORDS else ""
