"""One spelling for what can be written in many ways: LaTeX layout, Unicode signs, markdown, spaces."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["COMMAND", "TEXT_COMMAND", "one_spelling"]

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
    (re.compile(r"\\langle(?![A-Za-z])"), "("),
    (re.compile(r"\\rangle(?![A-Za-z])"), ")"),
    (re.compile(r"\\(?:varnothing|emptyset)(?![A-Za-z])|^\\?\{ ?\\?\}$"), r"\\emptyset"),
    (re.compile(r"\+ ?-"), "-"),
    (re.compile(r"(?<=[.\d])'(?=\d{3})"), ","),
    (re.compile(r"(?<=\d)_(?=\d{3}(?:_|$))"), ","),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<![A-Za-z\\])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"(?<![A-Za-z\\])(?:infinity|inf|oo)(?![A-Za-z])"), r"\\infty "),
    (re.compile(r"(?<![A-Za-z\\])(sqrt|(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|log|ln|exp)(?=[^A-Za-z]|$)"), r"\\\1"),
    (re.compile(r"\\sqrt(\[\d\])? ?\(([^()]{0,200})\)"), r"\\sqrt\1{\2}"),
    (re.compile(r"\\sqrt(\[\d\])? ?(\d{2,30}|(?<=\])\d)(?![\d.])"), r"\\sqrt\1{\2}"),
    (re.compile(r"\s+"), " "),
)
VULGAR = {
    sign: "\\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", sign).split("⁄")) for sign in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
}
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"), **dict.fromkeys("‘’‚‛ʼ", "'"),
        **dict.fromkeys("“”„«»", '"'), "⟨": "(", "⟩": ")", "∅": "\\emptyset ", "≡": "\\equiv ",
        "⁄": "/", "÷": "/", "×": "\\times ", "·": "\\cdot ",
        "⋅": "\\cdot ", "≤": "\\le ", "≥": "\\ge ",
        "≠": "\\neq ", "∞": "\\infty ", "π": "\\pi ", "θ": "\\theta ", "√": "\\sqrt ", "°": "^\\circ ", "∪": "\\cup ",
        "∩": "\\cap ", "∈": "\\in ", "±": "\\pm ", "∛": "\\sqrt[3]",
        "≈": "\\approx ", **VULGAR,
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
    text = text.strip(" \"'`").rstrip(";, ")
    return text if text.endswith("..") else text.rstrip(".;, ")
