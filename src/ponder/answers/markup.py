"""Taking the markup off a value."""

from __future__ import annotations

import re

__all__ = ["bare"]

_WRAPPED = re.compile(
    r"""
    [“„«「『‘‚] (?P<curly> [^“”„«»「」『』‘’‚]*) [”“»「」』’‘]
    | (?P<left> \*{1,3} | _{1,3} | ` | " | ' | \$\$? ) (?P<inner> .*? ) (?P=left)
    | \\\( (?P<round> .* ) \\\) | \\\[ (?P<square> .* ) \\\]
    | \\(?:text|textbf|mathrm|mathbf|mbox) \s* \{ (?P<text> [^{}]* ) \}
    """,
    re.VERBOSE | re.DOTALL,
)
_FORMULA = re.compile(r"(?<!\\)\$([^$\n]+)(?<!\\)\$|\\\(|\\\)|\\\[|\\\]")
_PLACEHOLDER = re.compile(r"(?:\\(?:boxed|fbox)\{)?[.…\s]*\}?", re.IGNORECASE)
_LAYERS = 4  # nobody wraps a value in more


def bare(value: str) -> str:
    """`value` without emphasis, quotes, formula delimiters and closing punctuation; empty for a placeholder."""
    for _ in range(_LAYERS):
        before = value
        value = _closed(value.strip()).rstrip(",;: ")
        value = _full_stop_off(value)
        match = _WRAPPED.fullmatch(value)
        if match:
            value = next(group for name, group in match.groupdict().items() if name != "left" and group is not None)
        if value == before:
            break
    value = _FORMULA.sub(lambda match: match[1] or "", value)
    value = re.sub(r"\*\*", "", value) if value.count("**") == 1 else value
    return "" if _PLACEHOLDER.fullmatch(value) else value.strip()


def _full_stop_off(value: str) -> str:
    return value[:-1].rstrip() if value.endswith(".") and not value.endswith("..") else value


def _closed(value: str) -> str:
    r"""Cut at the first brace that closes nothing, as in what follows ``\textbf{Answer:``; drop a lone last ``$``."""
    value = value.lstrip("}").lstrip()
    depth = 0
    for mark in re.finditer(r"\\.|[{}]", value):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if depth < 0:
            value = value[: mark.start()]
            break
    if value.endswith("$") and not value.endswith("\\$") and value.count("$") % 2:
        value = value[:-1]
    return value
