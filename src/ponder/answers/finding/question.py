"""What a question says of its answer: the choices it offers, and whether it asks for yes or no."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

__all__ = ["Question", "read_question", "stem", "words_of"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_OPTION = re.compile(r"(?:^|[\s(])\(?([A-Ja-j])\)[ \t]{0,4}|(?:^|\n)[ \t*]{0,4}([A-J])[.:][ \t]{1,4}")
_TRUE_FALSE = re.compile(r"\btrue or false\b|\btrue/false\b|\bfalse or true\b", re.IGNORECASE)
_POLAR = re.compile(
    r"(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|has|have|had|may|might|must|"
    r"isn't|aren't|doesn't|don't|can't|ist|sind|war|kann|können|hat|haben|est-ce que|es|son|è|é)\s",
    re.IGNORECASE,
)
_LONGEST = 20_000  # characters of a question that are read
_LONGEST_OPTION = 200


@dataclass(frozen=True, slots=True)
class Question:
    """What can be told of a question.

    `options` maps the text of each choice, without case, to its letter; `words` are its words, without endings;
    `alternatives` those around an "or", one of which is the answer. `polar` questions want yes or no.
    """

    options: dict[str, str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    text: str = ""
    polar: bool = False
    true_false: bool = False
    alternatives: frozenset[str] = frozenset()


@lru_cache(maxsize=256)
def read_question(text: str) -> Question:
    """The question, read once."""
    text = text[-_LONGEST:]
    options = _options(text)
    true_false = bool(_TRUE_FALSE.search(text))
    asked = _asked(text)
    alternatives = frozenset() if true_false else _alternatives(asked)
    polar = not options and not alternatives and not true_false and bool(_POLAR.match(asked))
    words = frozenset(stem(word) for word in words_of(text))
    return Question(options, words, text.casefold(), polar, true_false, alternatives)


def words_of(text: str) -> list[str]:
    """The words of a text, without case."""
    return [word.casefold() for word in _WORD.findall(text)]


def stem(word: str) -> str:
    """A word without its ending, as far as a comparison of a question with its answer needs."""
    for ending in ("'s", "’s", "ing", "ied", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def _asked(text: str) -> str:
    """The sentence that asks: the last one with a question mark, else the last one."""
    before = text.rpartition("?")[0] or text
    return re.split(r"[.!?\n:]\s", before[-400:].strip())[-1].strip("¿ \"'")


def _alternatives(asked: str) -> frozenset[str]:
    """The words on both sides of an "or": what the answer will be one of."""
    before, either, after = asked.casefold().rpartition(" or ")
    if not either:
        return frozenset()
    listed = re.split(r"[:?;]|\b(?:is|are|was|were|bigger|smaller|better)\b", before)[-1]
    return frozenset(map(stem, (*words_of(listed)[-6:], *words_of(after)[:4])))


def _options(text: str) -> dict[str, str]:
    """The choices, if there are at least two, in the order A, B, ..."""
    marks = list(_OPTION.finditer(text))
    letters = [(mark[1] or mark[2]).upper() for mark in marks]
    for start, letter in enumerate(letters):
        if letter != "A":
            continue
        run = 1
        while start + run < len(letters) and ord(letters[start + run]) == ord("A") + run:
            run += 1
        if run >= 2:
            return _texts(text, marks[start : start + run])
    return {}


def _texts(text: str, marks: list[re.Match[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        content = text[mark.end() : following.start() if following else len(text)].strip()
        content = content.split("\n")[0].strip(" .,;*")
        if content and len(content) <= _LONGEST_OPTION:
            found.setdefault(content.casefold(), (mark[1] or mark[2]).upper())
    return found
