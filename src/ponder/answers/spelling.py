"""One spelling for what can be written in many ways: LaTeX layout, Unicode signs, markdown, spaces."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["COMMAND", "TEXT_COMMAND", "one_spelling", "phrase"]

TEXT_COMMAND = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mathit|mbox|rm|bf)\s*\{([^{}]*)\}")
"""``\\text{...}`` and its kin; group 1 is the content."""

COMMAND = re.compile(r"\\(?:begin|end|operatorname)\s*\{[^{}]*\}|\\[A-Za-z]+")
"""What looks like a word in a formula but is none."""

_LAYOUT = re.compile(
    r"(?<!\\)(?:\\(?:left|right|displaystyle|textstyle|limits|[bB]ig{1,2}[lr]?)(?![A-Za-z])|\\[!,;:> ]|~)"
)
_DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]|\$\$")
_PAIRED_DOLLARS = re.compile(r"(?<!\\)\$([^$]*?)(?<!\\)\$")
_RESPELL = (
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"(?<!\\)\\([$%#&])"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<![A-Za-z\\])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"(?<![A-Za-z\\])(?:infinity|inf|oo)(?![A-Za-z])"), r"\\infty "),
    (re.compile(r"(?<![A-Za-z\\])(sqrt|(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|log|ln|exp)(?=[^A-Za-z]|$)"), r"\\\1"),
    (re.compile(r"\\sqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"\s+"), " "),
)
_SIGNS = str.maketrans(
    {
        "\u2010": "-", "\u2011": "-", "\u2212": "-", "⁄": "/", "÷": "/", "×": "\\times ", "·": "\\cdot ",
        "⋅": "\\cdot ", "≤": "\\le ", "≥": "\\ge ",
        "≠": "\\neq ", "∞": "\\infty ", "π": "\\pi ", "θ": "\\theta ", "√": "\\sqrt ", "°": "^\\circ ", "∪": "\\cup ",
        "∩": "\\cap ", "∈": "\\in ", "±": "\\pm ", "½": "\\frac{1}{2}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}",
    }
)  # fmt: skip
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def one_spelling(answer: str) -> str:
    """`answer` without layout, delimiters, emphasis and closing punctuation."""
    text = _RAISED.sub(lambda run: f"^{{{run[0].translate(_LOWERED)}}}", answer.translate(_SIGNS))
    text = unicodedata.normalize("NFKC", text)
    text = _DELIMITERS.sub(" ", _LAYOUT.sub(" ", text))
    text = _PAIRED_DOLLARS.sub(r"\1", text).strip("*` \t\r\n")
    for pattern, spelling in _RESPELL:
        text = pattern.sub(spelling, text)
    return text.strip(" \"'`").rstrip(".;, ")


def phrase(text: str) -> str:
    """A text as words: no case, no outer punctuation, no leading article, single spaces."""
    words = unicodedata.normalize("NFKC", text).casefold().strip(" \t\r\n\"'`*.,;:!?").split()
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words)
