"""Replies that are nothing but a short statement, and last lines that are nothing but a value."""

from __future__ import annotations

import re

from ponder.answers.finding.placeholders import is_placeholder
from ponder.answers.finding.sentence_end import first_sentence
from ponder.answers.finding.values import value_at
from ponder.answers.kinds import read
from ponder.answers.markup import bare

__all__ = ["is_value", "last_line", "short_reply"]

_LONGEST_VALUE = 40
_LONGEST_REPLY = 280  # characters
_MOST_WORDS = 40
_LONGEST_STATEMENT = 24  # words
_FORMULA_END = re.compile(r"\s{0,20}(?:\\\]|\$\$)\s{0,20}\Z")
_FORMULA_START = re.compile(r"\A\s{0,20}(?:\\\[|\$\$)")
_LIST_MARK = re.compile(r"[ \t]{0,8}(?:[-*+] |\(?\w{1,2}[.)]\s{0,8}\Z)")
_CHOICE = re.compile(r"[A-J]|\([A-Ja-j]\)")
_SO = re.compile(
    r"(?:so|thus|therefore|hence|consequently|also|donc|por lo tanto|quindi|in conclusion)\b", re.IGNORECASE
)
_GREETING = re.compile(r"(?:sure|certainly|of course|okay|ok|great|well|hello|hi)\b[,!.:]{1,2}\s{0,4}", re.IGNORECASE)
_REFUSAL = re.compile(
    r"(?:i(?:'m| am) (?:sorry|not sure)|sorry|i have no idea|i would (?:have|need)|it depends|no idea|"
    r"i (?:can(?:no|')t|do not|don't|am not|am unable)|as an ai|let me|let us|let's|here (?:is|are)|"
    r"we (?:can|need|have to|must)|to (?:solve|find|answer|determine)|step 1|first,|i will|i'll|given)\b",
    re.IGNORECASE,
)


def short_reply(text: str) -> str | None:
    """The statement that a short reply is, None if it is more than that.

    Of two or three sentences the one that concludes ("So ...") counts, else the first.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST_REPLY or len(text.split()) > _MOST_WORDS:
        return None
    if (text.startswith(("#", "- ", "* ")) and "\n" not in text) or "\\boxed" in text:
        return None  # a heading, an item of a list, or a box that holds no answer
    if greeting := _GREETING.match(text):
        text = text[greeting.end() :]
    if "\n" in text or text.startswith(("$$", "\\[")):
        return _block(text)
    sentences = _sentences(text)
    if not sentences or len(sentences) > 3:
        return None
    chosen = next((one for one in reversed(sentences[1:]) if _SO.match(one)), sentences[0])
    lead = _SO.match(chosen)
    value = bare(chosen[lead.end() :].lstrip(", ") if lead else chosen)
    return value if _says_something(value) else None


def _block(text: str) -> str | None:
    """Several lines are one value only if they are a list, a matrix, equations, or JSON."""
    value = value_at(text, 0)
    said = sum(character.isalnum() for character in value)
    return value if value and said >= 0.8 * sum(map(str.isalnum, text)) and not is_placeholder(value) else None


def _sentences(text: str) -> list[str]:
    found: list[str] = []
    while text and len(found) < 4:
        sentence = first_sentence(text)
        if not sentence:
            break
        found.append(sentence.strip())
        text = text[len(sentence) :].lstrip(".!?。！？*_\"'”’)` \t")
    return [sentence for sentence in found if sentence]


def _says_something(value: str) -> bool:
    if not value or is_placeholder(value) or _REFUSAL.match(value) or value.endswith((":", "?")):
        return False
    return (any(map(str.isalnum, value)) and len(value.split()) <= _LONGEST_STATEMENT) or _is_sign(value)


def _is_sign(value: str) -> bool:
    return value in ("∅", "∞", "-∞", "+∞", "{}", "[]") or (0 < len(value) <= 4 and not value.isascii())


def last_line(text: str) -> str | None:
    """A last line that is short and nothing but a number or a choice."""
    line = _FORMULA_END.sub("", text.rstrip()[-400:]).rsplit("\n", 1)[-1]
    value = bare(_FORMULA_START.sub("", line))
    return value if is_value(value) and (_CHOICE.fullmatch(value) or not _LIST_MARK.match(line)) else None


def is_value(value: str) -> bool:
    """True for a number, with or without a unit, or a choice, and nothing else."""
    if _CHOICE.fullmatch(value):
        return True
    return 0 < len(value) <= _LONGEST_VALUE and read(value).quantity is not None
