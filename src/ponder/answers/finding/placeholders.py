"""What stands where an answer should and is none: a form that was copied, or an empty value."""

from __future__ import annotations

import re

__all__ = ["is_placeholder"]

_EMPTY = re.compile(r"[\s.…_\-–—*`$\\{}]*")
_NOTHING = {
    "n/a", "na", "n.a", "n.a.", "null", "undefined value", "tbd", "tba", "nil", "nan", "none given", "no answer",
    "not given", "not provided", "not available", "not applicable", "(none)", "?", "??", "???",
}  # fmt: skip
_NAMES = {
    "answer", "answers", "number", "numbers", "value", "result", "results", "solution", "letter", "option", "choice",
    "text", "word", "words", "name", "expression", "integer", "response", "blank", "string", "conclusion", "output",
}  # fmt: skip
_FILLERS = {
    "your", "the", "final", "insert", "a", "an", "here", "correct", "only", "of", "enter", "put", "write", "single",
    "numeric", "numerical", "short", "actual", "my", "or", "goes", "and", "as", "in", "box", "to", "fill",
}  # fmt: skip
_BRACKETS = re.compile(r"[\[<({]{1,2}([^\[\]<>(){}]{0,80})[\]>)}]{1,2}")
_COMMANDS = re.compile(r"\\(?:boxed|fbox|text|textbf|mathrm)\s?\{|\$")


def is_placeholder(value: str) -> bool:
    r"""True for ``...``, ``[number]``, ``your answer here``, ``\boxed{...}``, ``N/A``, ``null``, ``___``."""
    value = value.strip()
    if len(value) > 120:
        return False
    if value.casefold().rstrip(".") in _NOTHING or _EMPTY.fullmatch(value):
        return value not in ("{}", "\\{\\}")  # the empty set
    inner = _COMMANDS.sub("", value).strip("{} .:")
    if not inner or inner in ("...", "…"):
        return "\\" in value or not inner
    bracket = _BRACKETS.fullmatch(inner)
    words = (bracket[1] if bracket else inner).casefold().replace("_", " ").replace("-", " ").split()
    named = any(word in _NAMES for word in words) and all(word in _NAMES or word in _FILLERS for word in words)
    return named and (bool(bracket) or words != ["number"])
