"""Where a text states its final answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ponder.answers.finding.boxes import boxes
from ponder.answers.finding.calculations import result_of
from ponder.answers.finding.fences import fences, only_code
from ponder.answers.finding.found import Found
from ponder.answers.finding.json_objects import Data, keyed, whole
from ponder.answers.finding.labels import lines, names_answer, results, sentences
from ponder.answers.finding.placeholders import is_placeholder
from ponder.answers.finding.reasoning import visible
from ponder.answers.finding.short import is_value, last_line, short_reply
from ponder.answers.finding.statement import core
from ponder.answers.finding.tags import hashes, tags
from ponder.answers.markup import bare

__all__ = ["extract", "extract_stated", "json_part"]

_WINDOW = 100_000
"""Characters from the end of the text that are looked at."""
_LONGEST_STATEMENT = 2_000
"""A value that is longer states nothing inside itself."""
_ENDS_IN_BOX = re.compile(r"\\boxed\{([+-]?[A-Za-z0-9](?:[A-Za-z0-9.,/]{0,60}[A-Za-z0-9])?)\}[\s.*$]{0,8}\Z")
_AFTER_BOX = re.compile(r"(?:\}|\}\$|,|\band|\bor)[\s$]{0,4}\Z")
_OPTION = re.compile(
    r"[*_\s]{0,6}(?:so,? |thus,? |therefore,? |hence,? )?(?:answer )?(?:option|choice)[*_\s]{1,4}\(?([A-Ja-j])\)?"
    r"[*_]{0,3}(?:[.\s]{0,4}\Z|[:,]? (?:is|would be|seems)\b[^\n]{0,80})",
    re.IGNORECASE,
)

_Finder = Callable[[str], Iterator[Found]]


def extract(text: str, question: str = "") -> str | None:
    r"""The final answer that `text` gives to `question`, or None if it gives none.

    The strongest statement counts, and of several that are equally strong the last:

    1. ``\boxed{...}``; a line "Answer: ..." in any of some forty languages, or a heading and what follows it;
       ``<answer>...</answer>``; ``#### ...`` (GSM8K, Cobbe et al. 2021); a JSON object with an "answer" key;
    2. a sentence: "the answer is ...", "the correct option is ...";
    3. "Result: ...", "option B is right"; JSON that is all of the reply or its fenced block;
    4. a last line that is nothing but a number or a choice; a reply that is one short statement; one block of code.

    A value is kept whole: a program, a list, a matrix, several equations. Markdown, ``$`` signs and the closing full
    stop are taken off, units are not. Of a calculation, ``5 + 9 = 14``, its result is the answer; of a short sentence
    what it adds to the question (`ponder.answers.finding.statement`). Reasoning is passed over; placeholders
    that were copied from the question, ``N/A`` and ``null`` are no answer. Linear in the text.
    """
    shown = visible(text)[-_WINDOW:]
    # The usual end of a reply, at a tenth of the cost: nothing can come after it, so it is the last statement.
    ending = _ENDS_IN_BOX.search(shown, max(0, len(shown) - 80))
    if ending and not is_placeholder(ending[1]) and not _one_of_several(shown, ending.start()):
        return ending[1]
    value = _stated(shown) or _said(shown)
    return None if value is None else core(value, question) or value


def extract_stated(text: str) -> str | None:
    """The answer that a text states as such, so far: a short text that still grows is no answer yet."""
    return _stated(visible(text)[-_WINDOW:])


def _one_of_several(text: str, box: int) -> bool:
    return _AFTER_BOX.search(text, max(0, box - 20), box) is not None


def json_part(text: str) -> str | None:
    """The JSON in `text` from which `extract` would take the answer, whole and as it stands; None if there is none."""
    shown = visible(text)[-_WINDOW:]
    data = next(keyed(shown), None) or whole(shown)
    return None if data is None else shown[data.start : data.end]


def _stated(text: str) -> str | None:
    """The strongest statement of an answer, the last of those."""
    data = next(keyed(text), None)
    rest = text if data is None else text[: data.start] + " " * (data.end - data.start) + text[data.end :]
    if found := _last(rest, (boxes, lines, tags, _numbers), _from_json(data)):
        return found
    if found := _last(rest, (sentences,)):
        return found
    return _last(rest, (results, _options), _from_json(whole(text)))


def _last(text: str, finders: tuple[_Finder, ...], also: Found | None = None) -> str | None:
    found = [first for finder in finders if (first := next(finder(text), None))]
    if also is not None:
        found.append(also)
    return _cleaned(max(found).value) if found else None


def _cleaned(value: str) -> str:
    """A value that itself says "the answer is 5", or holds a box, is what that says."""
    if len(value) <= _LONGEST_STATEMENT and "\n" not in value.strip():
        inner = _last(value, (boxes, sentences))
        if inner is not None:
            return inner
    elif value.lstrip().startswith(("Answer", "\\boxed", "The answer", "```")) and (
        inner := _stated(value) or _fenced(value)
    ):
        return inner
    return result_of(bare(value))


def _fenced(value: str) -> str | None:
    blocks = fences(value)
    return blocks[0].content if len(blocks) == 1 else None


def _numbers(text: str) -> Iterator[Found]:
    for found in hashes(text):
        if is_value(found.value):  # otherwise a heading
            yield found


def _options(text: str) -> Iterator[Found]:
    """``Option B is correct.`` as the last line that says something."""
    start = text.rstrip().rfind("\n") + 1
    if match := _OPTION.match(text, start):
        yield Found(start, match[1])


def _from_json(data: Data | None) -> Found | None:
    if data is None or (value := _json_answer(data.answer)) is None:
        return None
    return Found(data.start, value)


def _json_answer(value: Any) -> str | None:
    if isinstance(value, str):
        value = extract(value) or bare(value)
        return None if not value or is_placeholder(value) else value
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _said(text: str) -> str | None:
    """What a reply says that states no answer as such."""
    if "```" in text and (code := only_code(text)):
        return code
    value = last_line(text) or (None if names_answer(text) else short_reply(text))
    return None if value is None else result_of(value)
