"""Answers that are stated in words: "Answer: 5" on a line of its own, "the answer is 5" in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ponder.answers.finding.boxes import boxed
from ponder.answers.finding.found import TRIES, Found, last_places
from ponder.answers.finding.placeholders import is_placeholder
from ponder.answers.finding.values import value_at
from ponder.answers.finding.words import AFTER, LANGUAGES, LEADS, NOT_AN_ANSWER, RESULTS, STEMS, WRONG
from ponder.answers.markup import bare

__all__ = ["lines", "names_answer", "results", "sentences"]

_LONGEST_ARTICLE = 4
"""Letters that may stand before a stem in its noun, as the article does in Arabic."""
_NAMES = list(LANGUAGES)
_NOUN = re.compile("|".join(f"(?P<l{i}>{LANGUAGES[name].nouns})" for i, name in enumerate(_NAMES)), re.IGNORECASE)
_OPTION = re.compile(r"\b(?:correct|right|best) (?:answer )?(?:option|choice)\b", re.IGNORECASE)
_RESULT = re.compile(
    rf"^[#*_> \t]{{0,8}}(?:(?:final|the|endergebnis|the final) ){{0,2}}(?:{RESULTS})[*_]{{0,3}} ?[:：=][ \t*_]{{0,6}}",
    re.IGNORECASE | re.MULTILINE,
)
_OF = r" (?:to|for|of) [^.\n:=]{1,80}?"
_ADJECTIVE = r"(?: [^\W\d_]{1,16}){1,2}?"
_SEPARATOR = r"[:：=→⇒➡]|-+>|=>|[–—-](?=\s)"


def _join(verbs: str, between: str) -> re.Pattern[str]:
    """What joins a noun to its value."""
    return re.compile(
        rf"(?:{between})?[*_}}]{{0,3}}(?:\s{{0,3}}(?P<sign>{_SEPARATOR})"
        rf"|(?:\s{{1,3}}|(?<=[*_]))(?P<verb>{verbs})(?![^\W\d_])[*_ ]{{0,3}}(?P<then>[:：])?"
        rf"(?:\s?(?:{LEADS})\b[,:]?\s?)?)[ \t*_]{{0,8}}",
        re.IGNORECASE,
    )


_JOINS = {
    f"l{i}": _join(LANGUAGES[name].verbs, _OF if name == "English" else f"{_OF}|{_ADJECTIVE}")
    for i, name in enumerate(_NAMES)
}
_ENGLISH = _join(LANGUAGES["English"].verbs, _OF)
_TIGHT = re.compile(r"(?P<verb>應該是|应该是|就是|是|为|為|は|은|는|คือ)[ \t*_:：]{0,4}")
"""Where words are not set apart by spaces."""
_HEADING_END = re.compile(r"[*_:：\s]{0,8}(?:\n|\Z)")
_LETTER_NEXT = re.compile(r"[*_]{0,3} ?(?=\([A-Ja-j]\)[*_.\s]{0,4}(?:\n|\Z))|[.] (?=\S)")
_CJK = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0600-\u06ff\u0590-\u05ff]")
_PREFIX = re.compile(r"(?:[^\W\d_][\w'’]{0,15}[,:]? ?){0,5}")
_MARKUP = " \t*_#>✅✔☑️👉➡→$\\{}[]-•"
_CHOICE_WORD = re.compile(
    r"(?:answer )?(?:option|choice|letter)\s+(?=[*_]{0,3}\(?[A-Ja-j]\)?(?![\w'’]))", re.IGNORECASE
)
_BELOW = re.compile(r"(?:as follows|the following|given below|this)\Z", re.IGNORECASE)
_UNPAIRED = re.compile(r"(?<=[^\s*_])[*_]{1,3}\Z")
"""Emphasis whose first half was taken for a part of what stands before the value."""


def lines(text: str) -> Iterator[Found]:
    """Yields ``Answer: 5``, ``### Answer`` and the line after it, ``**Final answer** (B)``: on lines of their own."""
    for noun, end, join_with in _nouns(text):
        if (start := _begins_line(text, noun)) is None:
            continue
        if heading := _HEADING_END.match(text, end):
            yield from _value(text, noun, heading.end() - 1 if heading.end() > end else end, loose=False)
        elif letter := _LETTER_NEXT.match(text, end):
            yield from _value(text, noun, letter.end(), loose=False)
        elif (join := _joined(text, noun, end, join_with)) and (
            join.groupdict().get("sign") or join.groupdict().get("then")
        ):
            yield from _value(text, start, join.end(), loose=False)


def sentences(text: str) -> Iterator[Found]:
    """Yields "the answer is 5", "so the correct option is B": anywhere."""
    for noun, end, join_with in sorted((*_nouns(text), *_options(text)), key=_start, reverse=True):
        if _is_wrong(text, noun):
            continue
        if join := _joined(text, noun, end, join_with):
            loose = bool(join.groupdict().get("verb") and not join.groupdict().get("then"))
            yield from _value(text, noun, join.end(), loose=loose)


def results(text: str) -> Iterator[Found]:
    """Yields ``Result: 5``, ``Solution: x = 2``."""
    for match in list(_RESULT.finditer(text))[: -TRIES - 1 : -1]:
        for found in _value(text, match.start(), match.end(), loose=False):
            if len(found.value) <= 80 and "\n" not in found.value:
                yield found


def names_answer(text: str) -> bool:
    """Whether the text speaks of its answer, or of what it would be."""
    return bool(_nouns(text))


def _without_lead(value: str) -> str:
    """``option B`` is ``B``."""
    return _CHOICE_WORD.sub("", value, count=1) if _CHOICE_WORD.match(value) else value


_Noun = tuple[int, int, re.Pattern[str]]


def _start(noun: _Noun) -> int:
    return noun[0]


@lru_cache(maxsize=8)
def _nouns(text: str) -> tuple[_Noun, ...]:
    """The last places where an answer is named, the last one first, with what joins a noun of that language."""
    found: list[_Noun] = []
    for start in sorted(_stems(text), reverse=True):
        match = next(
            (one for at in range(start, max(-1, start - _LONGEST_ARTICLE), -1) if (one := _noun(text, at))), None
        )
        if match is not None and match.end() > start and not (found and match.start() == found[-1][0]):
            found.append((match.start(), match.end(), _JOINS[match.lastgroup or ""]))
    return tuple(found[:TRIES])


def _stems(text: str) -> set[int]:
    """The last places of each stem."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters grow when they are lowered
        return {match.start() for match in _NOUN.finditer(text)}
    return {at for stem in STEMS for at in last_places(lower, stem)}


def _noun(text: str, at: int) -> re.Match[str] | None:
    """The noun that begins at a place, if a word does."""
    match = _NOUN.match(text, at)
    if match is None or ((_in_word(text, at - 1) or _in_word(text, match.end())) and not _CJK.match(text, at)):
        return None
    return match


def _options(text: str) -> list[_Noun]:
    """The last places where a choice is called the right one."""
    return [(match.start(), match.end(), _ENGLISH) for match in _OPTION.finditer(text)][: -TRIES - 1 : -1]


def _in_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() and not _CJK.match(text, at))


def _joined(text: str, noun: int, end: int, join: re.Pattern[str]) -> re.Match[str] | None:
    if _CJK.match(text, noun) and (tight := _TIGHT.match(text, end)):
        return tight
    return join.match(text, end)


def _begins_line(text: str, noun: int) -> int | None:
    """Where the line begins, if only markup and a few words, none of them "wrong", stand before the noun."""
    start = text.rfind("\n", max(0, noun - 120), noun) + 1
    if start == 0 and noun > 120:
        return None
    before = text[start:noun]
    plain = before.strip(_MARKUP)
    if plain and not _PREFIX.fullmatch(plain + " "):
        return None
    return None if _is_wrong(text, noun) else start


def _is_wrong(text: str, noun: int) -> bool:
    words = text[max(0, noun - 40) : noun].casefold().split("\n")[-1].split()
    return any(word.strip("*_,.") in WRONG for word in words[-2:])


def _value(text: str, start: int, at: int, *, loose: bool) -> Iterator[Found]:
    value = _UNPAIRED.sub("", value_at(text, at))
    if "\\boxed" in value or "\\fbox" in value:
        value = boxed(value) or ""
    for ending in AFTER:
        value = value.removesuffix(ending).rstrip()
    value = _without_lead(bare(value))
    if not value or is_placeholder(value):
        return
    first = re.split(r"[\s,.;:]", value, maxsplit=1)[0].casefold()
    if loose and (first in NOT_AN_ANSWER or (first == "in" and not re.match(r"in \d", value))):
        return
    if _BELOW.match(value):
        yield from _value(text, start, text.find(value, at) + len(value), loose=loose)
        return
    yield Found(start, value)
