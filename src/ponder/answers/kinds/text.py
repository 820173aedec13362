"""Answers in words, and yes or no."""

from __future__ import annotations

import re
import unicodedata

from ponder.answers.kinds.reading import Reading

__all__ = ["phrase", "plain", "read_text", "read_yes_no", "same_text"]

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛`´ʼ", "'"), **dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‐‑‒–—−", "-"),
        "…": "...", "\u00a0": " ", "\u200b": None, "\u00ad": None,
    }
)  # fmt: skip
_OUTER = " \t\r\n\"'*,;:!?"
_SHORT_FOR = {"mt": "mount", "st": "saint", "dr": "doctor", "mr": "mister", "prof": "professor"}
_DOTTED = re.compile(r"(?<=[^\W\d_])\.(?=\s|[^\W\d_]|$)")
_INITIAL = re.compile(r"(?<![^\W\d_])([^\W\d_])\s(?=[^\W\d_](?:\s|$))")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_]{2,})")
_YES = re.compile(r"(?:yes|true|yep|yeah)(?:[,.!;:]\s.{0,200}|\s+it (?:is|does|can|was))?", re.DOTALL)
_NO = re.compile(r"(?:no|false|nope)(?:[,!;:]\s.{0,200}|\s+it (?:is|does|can|was)(?: not|n't))?", re.DOTALL)


def plain(text: str) -> str:
    """A text with one form of quotes, dashes, spaces and letters (NFKC)."""
    return unicodedata.normalize("NFKC", text.translate(_SIGNS))


def phrase(text: str) -> str:
    """A text as words: no case, no outer punctuation, no leading article, single spaces."""
    words = plain(text).casefold().strip(_OUTER).removesuffix(".").strip(_OUTER).split()
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words)


def read_text(text: str) -> Reading:
    """Anything, as words; ``Mt.`` is ``Mount``, ``J. K.`` is ``J.K.``, ``e-mail`` is ``email``."""
    normal = phrase(text)
    words = _HYPHEN.sub("", _DOTTED.sub(" ", normal)).split()
    if len(words) > 1:
        words = [_SHORT_FOR.get(word, word) for word in words]
    initials = _INITIAL.sub(r"\1", " ".join(words))
    return Reading("text", normal, value=initials)


def same_text(left: Reading, right: Reading) -> bool:
    """The same words; those of a compound may be set apart (``Hyper Text Protocol``) if there are several."""
    if left.value == right.value:
        return True
    if min(len(side.value.split()) for side in (left, right)) < 2:
        return False
    return bool(left.value.replace(" ", "") == right.value.replace(" ", ""))


def read_yes_no(text: str) -> Reading | None:
    """Yes or true, no or false, with or without a reason behind a comma."""
    said = plain(text).casefold().strip(" .!\"'*")
    for word, pattern in (("yes", _YES), ("no", _NO)):
        if pattern.fullmatch(said):
            return Reading("yes/no", word)
    return None
