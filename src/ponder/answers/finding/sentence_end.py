"""Where a sentence ends: not every full stop is one."""

from __future__ import annotations

import re

__all__ = ["first_sentence"]

_MARK = re.compile(r"[.!?。！？]")
_BEFORE_NAME = {
    "dr", "mr", "mrs", "ms", "mx", "st", "ste", "mt", "ft", "prof", "rev", "hon", "gen", "col", "maj", "capt", "lt",
    "sgt", "pres", "gov", "sen", "rep", "sr", "sra", "srta", "mme", "mlle", "no", "nr", "nos", "vol", "ch", "sec",
    "fig", "eq", "art", "approx", "ca", "vs", "v", "cf", "al", "rs", "op", "pp", "p", "bzw", "hr", "fr", "c",
}  # fmt: skip
"""Abbreviations that stand before what they belong to: a capital after them begins no sentence."""
_SUFFIXES = {"inc", "ltd", "corp", "co", "jr", "llc", "plc", "gmbh", "bros", "answers"}
_OPENING = "*_$\\[(\"'“‘`#"
_LARGEST_FACTORIAL = 20
"""Nobody answers 120! and means the factorial."""
_LONGEST_NAME = 4  # words


def first_sentence(text: str) -> str:
    """`text` up to the end of its first sentence, the closing mark included where it belongs to what is said.

    ``Dr. Smith``, ``J. K. Rowling``, ``U.S.``, ``3.14``, ``5!``, ``C++``, an address or a version go on. A single
    letter and a capitalised word or two, then the end, are a name (``B. Obama``); more than that is a choice and the
    sentence after it.
    """
    for mark in _MARK.finditer(text):
        end = mark.end()
        if mark[0] in "。！？":
            return text[: mark.start()]
        if _ends(text, mark.start(), mark[0]):
            return text[:end] if mark[0] == "!" and _is_factorial(text, mark.start()) else text[: mark.start()]
    return text


def _ends(text: str, at: int, mark: str) -> bool:
    rest = text[at + 1 : at + 200]
    closing = rest.lstrip("*_\"'”’)`$.")
    if closing and not closing[0].isspace():
        return False  # 3.14, example.com, .NET
    if mark == "." and rest[:1] == "." and not closing.strip():
        return True
    if rest[:1] == ".":
        return False  # an ellipsis
    following = closing.lstrip()
    if not following:
        return True
    if at == 0 or text[at - 1].isspace():
        return False  # a stop that begins a word: .NET
    if not (following[0].isupper() or following[0].isdigit() or following[0] in _OPENING or ord(following[0]) > 0x2E7F):
        return False  # a sentence does not begin so
    if mark == "!":
        return not _is_suffix(following)
    if mark == "?":
        return True
    return not _abbreviates(text, at, following)


def _abbreviates(text: str, at: int, following: str) -> bool:
    """Whether the word before the full stop is an abbreviation that what follows belongs to."""
    word = re.split(r"[\s(\"'“]", text[max(0, at - 24) : at])[-1]
    lower = word.casefold()
    if lower in _BEFORE_NAME:
        return len(word) > 1 or (following[0].isupper() and _is_name(following))
    if "." in word or (len(word) == 1 and word.isupper()):
        return _is_name(following)
    return lower in _SUFFIXES and _is_suffix(following)


def _is_name(following: str) -> bool:
    """Whether one to four capitalised words or initials follow, and then the text or the sentence ends."""
    line = following.split("\n", 1)[0]
    words = line.split()[: _LONGEST_NAME + 1]
    for position, word in enumerate(words):
        bare = word.strip("*_\"'”’)$,")
        if not bare[:1].isupper():
            return False
        if bare.endswith((".", "!", "?")) and len(bare) > 2 and "." not in bare[:-1]:
            return position < _LONGEST_NAME
    return len(words) <= _LONGEST_NAME


def _is_suffix(following: str) -> bool:
    return re.split(r"[\s.,!?]", following, maxsplit=1)[0].casefold() in _SUFFIXES


def _is_factorial(text: str, at: int) -> bool:
    """5! and n! are values; 120! and Paris! are exclamations."""
    before = re.search(r"(?:^|[^\w.])(\d{1,9}|[A-Za-z]|[)}])\Z", text[max(0, at - 12) : at])
    if before is None:
        return False
    return not before[1].isdigit() or int(before[1]) <= _LARGEST_FACTORIAL
