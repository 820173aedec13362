"""What a short statement says, beyond what its question has said already."""

from __future__ import annotations

import re

from ponder.answers.finding.question import Question, read_question, stem, words_of
from ponder.answers.finding.statement_words import (
    APPOSITION,
    ARTICLES,
    BEFORE_VALUE,
    CJK,
    CLAUSE,
    FALSE,
    FOREIGN_ARTICLES,
    GENERIC,
    LINKS,
    NEGATION,
    NO,
    NUMBERED,
    PARTICIPLE,
    PARTICLES,
    PRONOUN,
    SHORTENED,
    TAIL_VERB,
    TRUE,
    VERB,
    YES,
)
from ponder.answers.markup import bare

__all__ = ["core"]

_MOST_WORDS = 40
_LONGEST_CORE = 8  # words
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}")
_LETTERED = re.compile(r"\(?([A-Ja-j])\)?(?:[).:]|\Z)(?:\s|\Z)")


def core(statement: str, question: str = "") -> str:
    """The part of a short statement that answers `question`; the statement as it is where that cannot be told.

    Where a question offers choices, the text of one stands for its letter. Where it asks for a version, 1.10 is not
    1.1. Where it asks for yes or no, a reply that begins so, or that says the question over, is that word. Of a
    sentence whose one side only says what the question says ("The capital of Australia is Canberra", "Canberra is the
    capital"), the other side is the answer. "Not" is never taken off.
    """
    asked = read_question(question)
    value = bare(statement)
    if CJK.search(value):
        value = TAIL_VERB.sub("", value)
    if "\n" in value or len(value.split()) > _MOST_WORDS or value[:1] in ("{", "["):
        return value
    if asked.options:
        return _choice(value, asked)
    if "version" in asked.text and _VERSION.fullmatch(value):
        return f"v{value}"  # 1.10 is not 1.1
    verdict = _true_or_false(value) if asked.true_false else None
    return verdict or _yes_or_no(value, asked) or _without_foreign_article(_said(value, asked))


def _choice(value: str, asked: Question) -> str:
    """The letter, where the text of a choice is given without it."""
    if _LETTERED.match(value):
        return value
    said = _said(value, asked)
    for plain in (value.casefold().strip(" .\"'"), said.casefold().strip(" .\"'")):
        for text, letter in asked.options.items():
            if plain == text or _without_article(plain) == _without_article(text):
                return letter
    return said if _LETTERED.match(said) else value


def _without_article(text: str) -> str:
    first, _, rest = text.partition(" ")
    return rest if rest and first in ARTICLES else text


def _without_foreign_article(value: str) -> str:
    """``la maison`` is ``maison``; names keep theirs, and English ones are left to the comparison."""
    words = value.split(" ")
    return " ".join(words[1:]) if 2 <= len(words) <= 3 and words[0] in FOREIGN_ARTICLES else value


def _true_or_false(value: str) -> str | None:
    for pattern, positive in ((FALSE, False), (TRUE, True)):
        if match := pattern.search(value):
            return "True" if positive != bool(NEGATION.search(value[: match.start()])) else "False"
    return None


def _yes_or_no(value: str, asked: Question) -> str | None:
    """Yes or no: said, or meant by saying the question over with or without a "not"."""
    for pattern in (YES, NO):
        if (word := pattern.match(value)) and not NUMBERED.match(value):
            return word[0]
    if not asked.polar:
        return None
    clause = re.split(r"[,;:]\s|\b(?:because|since|as it)\b", value, maxsplit=1)[0]
    said = [word for word in words_of(NEGATION.sub(" ", clause)) if word not in LINKS and word not in ARTICLES]
    if len(said) < 2 or not all(stem(word) in asked.words for word in said):
        return None
    return "No" if bool(NEGATION.search(clause)) != bool(NEGATION.search(asked.text)) else "Yes"


def _said(value: str, asked: Question) -> str:
    """One side of a sentence, if the other says nothing new."""
    value = SHORTENED.sub(r"\1 is", value)
    head, comma, rest = value.partition(", ")
    if comma and head.split()[:1] and head.split()[0].casefold() in LINKS and _known(head, asked):
        value = rest
    calculation, equals, result = value.rpartition("=")
    if equals and len(calculation.strip()) > 1 and _dense(calculation) in _dense(asked.text):
        return bare(result)
    if pronoun := PRONOUN.match(value):
        return _opened(value[pronoun.end() :], asked)
    for verb in list(VERB.finditer(value))[:4]:
        left, right = value[: verb.start()], value[verb.end() :]
        if not left.strip() or not right.strip():
            continue
        if _known(left, asked) and not _known(right, asked):
            return _opened(right, asked)
        if _known(right, asked) and not _known(left, asked):
            return _opened(left, asked)
    return _around_known_words(value, asked)


def _around_known_words(value: str, asked: Question) -> str:
    """What is new in "World War II ended in 1945" or "Bell invented the telephone": the rest is the question's."""
    words = value.split()
    if words and words[0].casefold() in BEFORE_VALUE:
        return _opened(value, asked)
    if not asked.words or CJK.search(value) or NEGATION.search(value):
        return value
    first, last = _run(words, asked), _run(words[::-1], asked)
    for known, new in ((words[:first], words[first:]), (words[len(words) - last :], words[: len(words) - last])):
        if 0 < len(new) <= _LONGEST_CORE and _is_clause(known):
            return _opened(" ".join(new), asked)
    return value


def _run(words: list[str], asked: Question) -> int:
    """How many of the first words the question has, or say nothing."""
    return next((at for at, word in enumerate(words) if not _is_known(word, asked)), len(words))


def _is_known(word: str, asked: Question) -> bool:
    plain = _plain(word)
    if stem(plain) in asked.alternatives:
        return False
    return plain in ARTICLES or plain in LINKS or stem(plain) in asked.words


def _is_clause(words: list[str]) -> bool:
    """Whether known words are more than a name: two that say something, or a pronoun and one, some in lower case."""
    own = [word for word in words if _plain(word) not in LINKS and _plain(word) not in ARTICLES]
    pronoun = any(_plain(word) in ("it", "he", "she", "they", "him", "them") for word in words)
    return len(own) + pronoun >= 2 and any(word[:1].islower() for word in own)


def _known(part: str, asked: Question) -> bool:
    """True for words that the question has, or that say nothing: at least one word, and no "not"."""
    if CJK.search(part):
        return bool(asked.text) and all(sign in asked.text or sign in PARTICLES for sign in TAIL_VERB.sub("", part))
    if NEGATION.search(part) or asked.alternatives.intersection(map(stem, words_of(part))):
        return False
    words = [word for word in words_of(part) if word not in LINKS and word not in ARTICLES]
    if not words:
        return bool(words_of(part))
    known = [stem(word) in asked.words or word in GENERIC for word in words]
    if all(known):
        return True
    return _is_description(part) and (not asked.words or (len(words) >= 3 and sum(known) >= 0.6 * len(words)))


def _is_description(part: str) -> bool:
    """``The capital of Australia``: an article, and a noun with its complement."""
    words = part.casefold().split()
    if len(words) < 2 or words[0] not in ARTICLES:
        return False
    return not LINKS.isdisjoint(words) or (len(words) == 2 and words[1] in GENERIC)


def _opened(value: str, asked: Question) -> str:
    """Without what leads to the value, "written by", "in", "the city of", and without what explains it."""
    value = bare(TAIL_VERB.sub("", value.strip()))
    if participle := PARTICIPLE.match(value):
        value = value[participle.end() :]
    if clause := CLAUSE.search(value):
        value = value[: clause.start()]
    first, _, rest = value.partition(" ")
    if rest and first.casefold() in BEFORE_VALUE and len(rest.split()) <= _LONGEST_CORE:
        value = rest.removeprefix("to ")
    if asked.words and (noun := APPOSITION.match(value)):
        value = value[noun.end() :]
    return bare(value) or value


def _plain(word: str) -> str:
    return word.strip(".,;:!?\"'“”‘’()").casefold()


def _dense(text: str) -> str:
    return "".join(text.casefold().split())
