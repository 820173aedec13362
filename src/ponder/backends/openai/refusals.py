"""Which parameters a server refuses, from what it says with a 400 or 422.

There is no standard for it. OpenAI and Azure name the parameter in ``param``; servers built on pydantic (vLLM, Mistral,
FastAPI) in a list of ``loc``; Google, LiteLLM, Groq, Anthropic and many proxies only in a sentence, some as JSON or as
the text of a Python list inside a string. A field is only found if it is among those that were sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Refusal", "refused"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field that was refused, and the server's words. `whole` if it takes none, not if this value is out of range."""

    field: str
    words: str
    whole: bool


@dataclass(frozen=True, slots=True)
class _Statement:
    """What is said, with the `names` on the way to the parameter if it has a place of its own."""

    words: str
    names: tuple[str, ...] = ()
    kind: str = ""


_DEEPEST = 8
_LONGEST = 16_000

_SAID = (
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "errors",
    "description",
    "reason",
    "fieldViolations",
    "metadata",
    "raw",
)
"""Where messages are; what is under other keys may be the request itself."""

_MESSAGE = ("message", "msg", "description")
_KIND = ("code", "type")

_RANGE = (
    "between", "range", "less than", "greater than", "at most", "at least", "<=", ">=", "non-negative", "maximum",
    "minimum", "exceed", "too large", "too small", "too high", "too low", "too long", "too many", "positive",
)  # fmt: skip
_NEVER = (
    "only the default",
    "is allowed",
    "unsupported",
    "not support",
    "n't support",
    "extra_forbidden",
    "not permitted",
)
_MORE = ("more than", "exceed", "too large", "at most", "greater than")
_BOTH = ("cannot both", "can't both", "not both", "only one of", "use only one", "mutually exclusive", "simultaneously")

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MARKS = "'\"`[({"
_NAMES_NEXT = ("parameter", "parameters", "param", "field", "argument", "property", "name", "option", "input", "key")
_AMBIGUOUS = frozenset(("n", "stop", "user", "seed", "store", "metadata", "verbose", "prediction", "modalities"))
"""Fields whose names are words of any sentence; those count only where they are marked as names."""

_QUESTION = frozenset(("model", "messages", "prompt"))
"""What every message speaks of; a refusal of those has a place of its own."""

_ALIASES = {"think": "thinking", "thinkingbudget": "thinking", "reason": "reasoning", "thinkinglevel": "reasoning"}


def refused(text: str, fields: Iterable[str], thinking: Iterable[str] = ()) -> list[Refusal]:
    """The `fields` of a body that an error's `text` refuses; `thinking` are those that say how much to reason.

    A place of its own (``param``, ``loc``) goes before what a sentence seems to name.
    """
    known = {_plain(name): name for name in fields}
    for field in thinking:  # any of the words for it stands for the field that was sent
        for word in ("thinking", "reasoning", "reasoningeffort"):
            known.setdefault(word, field)
    said = list(_statements(_parsed(text)))
    placed = [
        _refusal(field, one.words, one.kind)
        for one in said
        for field in [known[plain] for plain in map(_plain, one.names) if plain in known][:1]
    ]
    return _once(placed) or _once(refusal for one in said for refusal in _read(one.words[:_LONGEST], known))


def _once(refusals: Iterable[Refusal]) -> list[Refusal]:
    return list({one.field: one for one in refusals}.values())


def _plain(name: str) -> str:
    plain = name.replace("_", "").lower()
    return _ALIASES.get(plain, plain)


def _refusal(field: str, words: str, kind: str = "") -> Refusal:
    low = f"{kind} {words}".lower()
    never = any(mark in low for mark in _NEVER) and not any(mark in low for mark in _MORE)
    whole = never or not any(mark in low for mark in _RANGE)
    return Refusal(field, words, whole)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _statements(value: Any, deep: int = 0) -> Iterator[_Statement]:
    if deep > _DEEPEST:
        return
    if isinstance(value, str):
        inner = _parsed(value) if value[:1] in "{[" else value
        if isinstance(inner, str):
            yield _Statement(value)
        else:
            yield from _statements(inner, deep + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _statements(one, deep + 1)
    elif isinstance(value, Mapping):
        names = _names_in(value)
        if names:
            yield _Statement(_joined(value, _MESSAGE), names, _joined(value, _KIND))
        for key in _SAID:
            if key in value:
                yield from _statements(value[key], deep + 1)


def _joined(entry: Mapping[str, Any], keys: Iterable[str]) -> str:
    return " ".join(entry[key] for key in keys if isinstance(entry.get(key), str))


def _names_in(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The way to a field of the body in ``param`` (``"n"``, ``"body.n"``), or in ``loc`` (``["body", "n"]``)."""
    place = entry.get("loc", entry.get("param", entry.get("field")))
    parts = place.replace("[", ".").split(".") if isinstance(place, str) else place
    if not isinstance(parts, list):
        return ()
    return tuple(part for part in parts if isinstance(part, str) and part not in ("body", ""))


def _read(words: str, known: Mapping[str, str]) -> list[Refusal]:
    """The fields that a sentence names."""
    found = []
    before = ""
    for match in _WORD.finditer(words):
        plain = _plain(match[0])
        offered = before == "use"  # "use max_completion_tokens instead"
        if (
            plain in known
            and plain not in _QUESTION
            and not offered
            and (plain not in _AMBIGUOUS or _is_marked(words, match, before))
        ):
            found.append(_refusal(known[plain], words))
        before = match[0].lower()
    if len({one.field for one in found}) > 1 and any(mark in words.lower() for mark in _BOTH):
        return [one for one in found if one.field == "top_p"][:1] or found[-1:]
    return found


def _is_marked(words: str, match: re.Match[str], before: str) -> bool:
    """True if the word stands in quotes or brackets, next to ``:``, before ``=``, or after "parameter" or the like."""
    if match[0] == "n":  # alone it is a word of no language, only of an escaped line break
        return not words[: match.start()].endswith("\\")
    ahead = words[match.end() : match.end() + 3].lstrip(" ")
    quoted = match.start() > 0 and words[match.start() - 1] in _MARKS and ahead[:1] not in (" ", "")
    listed = words[: match.start()].rstrip(" ").endswith(":")
    return quoted or listed or ahead[:1] in ("=", ":", ">", "<") or before in _NAMES_NEXT
