"""Where a text states its final answer."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from ponder.answers.forms import form_of
from ponder.answers.markup import bare
from ponder.answers.spelling import COMMAND

__all__ = ["extract", "json_part"]

_WINDOW = 100_000  # characters from the end of the text that are looked at
_TRIES = 16  # marks of one kind that are tried, from the last one back


def extract(text: str) -> str | None:
    r"""The final answer that `text` gives, or None if it gives none.

    Of all statements of an answer the last counts: ``\boxed{...}`` or ``\fbox{...}``, "Answer: ...", "the answer is
    ...", ``#### ...`` (GSM8K, Cobbe et al. 2021), ``<answer>...</answer>``, a JSON object with an "answer" key, or a
    fenced JSON block. A box inside an answer line is the answer of that line; an unclosed box reaches to the end of
    its line. Markdown, ``$`` signs and the closing full stop are taken off, units are not. Of a calculation,
    ``5 + 9 = 14``, its result is the answer.

    Without any such statement, a last line that is short and nothing but a number or a choice is the answer. A number
    somewhere in a sentence never is. Reasoning before ``</think>`` is ignored; without that mark it is all reasoning.
    """
    visible = _visible(text)[-_WINDOW:]
    # The usual end of a reply, at a tenth of the cost: nothing can come after it, so it is the last statement.
    if ending := _ENDS_IN_BOX.search(visible, max(0, len(visible) - 80)):
        return ending[1]
    data = next(_data(visible), None)
    rest = visible if data is None else visible[: data[0]] + " " * (data[1] - data[0]) + visible[data[1] :]
    stated = [found for marks in (_boxes, _sentences, _hashes, _tags) if (found := next(marks(rest), None))]
    if data is not None:
        stated.append((data[0], data[2]))
    return _result(max(stated)[1]) if stated else _last_line(visible)


def json_part(text: str) -> str | None:
    """The JSON in `text` from which `extract` would take the answer, whole and as it stands; None if there is none."""
    visible = _visible(text)[-_WINDOW:]
    data = next(_data(visible), None)
    return None if data is None else visible[data[0] : data[1]]


def _visible(text: str) -> str:
    before, closed, after = text.rpartition("</think>")
    if closed:
        return after
    return before if "<think>" in text else text


_ENDS_IN_BOX = re.compile(r"\\boxed\{([+-]?[A-Za-z0-9](?:[A-Za-z0-9.,/]*[A-Za-z0-9])?)\}[\s.*$]*\Z")
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?:(\{)|\s(?P<word>[^\s{}$\\]+))")
_BOX_END = re.compile(r"[\n$]|\\[\])]|\Z")


def _boxes(text: str) -> Iterator[tuple[int, str]]:
    for match in _from_the_end(_BOX, text, "box"):
        content = match["word"] or text[match.end() : _closing_brace(text, match.end())]
        if value := bare(content):
            yield match.start(), value


def _closing_brace(text: str, start: int) -> int:
    """Where the brace before `start` closes; the end of the line if it never does."""
    depth = 1
    for mark in re.finditer(r"\\.|[{}]", text[start:]):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if depth == 0:
            return start + mark.start()
    end = _BOX_END.search(text, start)
    return end.start() if end else len(text)


_STATEMENT = re.compile(
    r"\b(?:answer|correct\ (?:option|choice))\b"
    r"(?:\ (?:to|for|of)\ [^.\n:=]{1,80}?)?"
    r"[*_]{0,3}\s{0,3}"
    r"(?:[:：]|(?P<verb>is|would\ be|must\ be|should\ be)\b[*_ ]{0,3}(?P<then>[:：])?"
    r"(?:(?:therefore|thus|hence|simply|just)\b,?\ ?)?)"
    r"[ \t*_]{0,8}(?P<value>[^\n]*)",
    re.IGNORECASE | re.VERBOSE,
)
_HEADING = re.compile(r"^[#*_ \t>]*(?:final\ )?answer[*_: \t]*$", re.IGNORECASE | re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[^\s.])[.!?](?=[*_\"')]*(?:\s+[A-Z(*$\\\[]|\s*$))")
_NO_VALUE = re.compile(
    r"(?:not|that|correct|incorrect|right|wrong|clear|unclear|obvious|given|obtained|found|known|unknown|in|as|to|because)\b",
    re.IGNORECASE,
)


_UNPAIRED = re.compile(r"(?<=[^\s*_])[*_]{1,3}\Z")
"""Emphasis whose first half was taken for a part of what stands before the value."""


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    lower = text.lower()
    if "answer" not in lower and "correct " not in lower:
        return
    marks = itertools.chain(_statements(text, lower), _from_the_end(_HEADING, text))
    for match in sorted(marks, key=lambda mark: mark.start(), reverse=True):
        value = match.groupdict().get("value") or _next_line(text, match.end())
        value = _UNPAIRED.sub("", bare(_SENTENCE_END.split(value, maxsplit=1)[0]))
        loose = match.groupdict().get("verb") and not match["then"]
        if value and not (loose and _NO_VALUE.match(value)):
            yield match.start(), value


def _statements(text: str, lower: str) -> Iterator[re.Match[str]]:
    """The last matches of `_STATEMENT`, tried only where its first word stands: most of a text has none."""
    if len(lower) != len(text):  # a few letters grow when they are lowered
        yield from _from_the_end(_STATEMENT, text)
        return
    for word in ("answer", "correct option", "correct choice"):
        start = len(lower)
        for _ in range(_TRIES):
            start = lower.rfind(word, 0, start)
            if start < 0:
                break
            if match := _STATEMENT.match(text, start):
                yield match


def _next_line(text: str, start: int) -> str:
    """The next line that says something; a displayed formula counts as one line."""
    lines = text[start : start + 1_000].split("\n")
    said = (line for line in lines if line.strip(" \t$*_>") not in ("", "\\[", "\\]", "\\(", "```"))
    return next(said, "")


_HASHES = re.compile(r"^[ \t]*#{4}[ \t]*([^\n#]+)$", re.MULTILINE)
_TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)


def _hashes(text: str) -> Iterator[tuple[int, str]]:
    for match in _from_the_end(_HASHES, text, "####"):
        if _is_number(value := bare(match[1])) or _CHOICE.fullmatch(value):  # otherwise a heading
            yield match.start(), value


def _tags(text: str) -> Iterator[tuple[int, str]]:
    for match in _from_the_end(_TAG, text, "</"):
        if value := bare(match[1]):
            yield match.start(), value


_LETTER = re.compile(r"[^\W\d_]")


def _result(value: str) -> str:
    """The last number of a calculation; an equation in a letter, or anything else, as it is."""
    calculation, equals, last = value.rpartition("=")
    if not equals or _LETTER.search(COMMAND.sub(" ", calculation)) or calculation.endswith(("<", ">", "!")):
        return value
    number = bare(last)
    return number if _is_number(number) else value


_FENCE = re.compile(r"```json\s*\n(.*?)\n\s*```", re.DOTALL | re.IGNORECASE)
_KEY = re.compile(r"\"(?:final_)?answer\"\s*:")
_KEYS = ("answer", "final_answer")


def _data(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and answer of JSON that is or holds the answer."""
    for start, end in itertools.chain(_objects(text), (match.span(1) for match in _from_the_end(_FENCE, text, "```"))):
        value = _decode(text[start:end])
        if isinstance(value, dict | list):
            yield start, end, _json_answer(value)
            return
    if text.strip()[:1] in ("{", "[") and isinstance(value := _decode(text), dict | list):
        yield 0, len(text), _json_answer(value)


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the last objects that have an answer key."""
    decoder = json.JSONDecoder()
    for key in _from_the_end(_KEY, text, 'answer"'):
        start = key.start()
        for _ in range(_TRIES):
            start = text.rfind("{", 0, start)
            if start < 0:
                break
            try:
                value, end = decoder.raw_decode(text, start)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and not value.keys().isdisjoint(_KEYS):
                yield start, end
                break


def _json_answer(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in _KEYS if key in value), value)
    if isinstance(value, str):
        return extract(value) or bare(value)
    return json.dumps(value, ensure_ascii=False)


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_LONGEST_VALUE = 40
_FORMULA_END = re.compile(r"\s*(?:\\\]|\$\$)\s*\Z")
_FORMULA_START = re.compile(r"\A\s*(?:\\\[|\$\$)")
_LIST_MARK = re.compile(r"[ \t]*(?:[-*+]\ |\(?\w{1,2}[.)]\s*\Z)")
_CHOICE = re.compile(r"[A-J]|\([A-Ja-j]\)")


def _last_line(text: str) -> str | None:
    line = _FORMULA_END.sub("", text.rstrip()).rsplit("\n", 1)[-1]
    value = bare(_FORMULA_START.sub("", line))
    if _CHOICE.fullmatch(value):
        return value
    return value if _is_number(value) and not _LIST_MARK.match(line) else None


def _is_number(value: str) -> bool:
    """True for a number, with or without a unit, and nothing else."""
    return 0 < len(value) <= _LONGEST_VALUE and form_of(value).quantity is not None


def _from_the_end(pattern: re.Pattern[str], text: str, literal: str = "") -> list[re.Match[str]]:
    """The last matches first. `literal` is in every match: to look for it alone is ten times faster."""
    if literal not in text:
        return []
    return list(pattern.finditer(text))[: -_TRIES - 1 : -1]
