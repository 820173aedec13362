"""Programs: Python by its syntax tree, other languages without what means nothing in them."""

from __future__ import annotations

import ast
import re
import textwrap

from ponder.answers.kinds.reading import Reading

__all__ = ["read_code"]

_LONGEST = 20_000
_PYTHON = re.compile(
    r"^\s*(?:def|class|import|from|return|for|while|if|try|with|async|print|lambda|assert|raise|@\w)\b", re.MULTILINE
)
_CALL = re.compile(r"[A-Za-z_][\w.]{2,60}\(.{0,2000}\)|[A-Za-z_]\w{0,60}\[[^\]]{1,100}\]", re.DOTALL)
_MATHS = re.compile(
    r"(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|max|min|gcd|lcm|det|dim|arc\w{3}|sinh|cosh|tanh|abs|mod)\b|[A-Za-z]\(",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?:select|insert into|update|delete from|create (?:table|view|index)|with)\b.+", re.I | re.S)
_OTHER = re.compile(
    r";[ \t]{0,20}$|[A-Za-z)][ \t]{0,20}\{[ \t]{0,20}(?:$|[A-Za-z])|&&|\|\||=>|\+\+|--(?!>)|[+*/-]="
    r"|^#include\b|^#!|::\w|</\w+>|\bfunction\b.{0,200}\(|\b(?:let|const|var)\s\w+\s?=",
    re.MULTILINE,
)
_COMMAND = re.compile(r"[a-z][a-z0-9._-]{1,30}(?: \S{1,200}){1,40}")
_OPTION = re.compile(r" --?[A-Za-z][\w-]{0,40}(?: |=|\Z)")
_LATEX = re.compile(r"[\^_]\{|\\[A-Za-z]")
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.){0,2000}\"|'(?:[^'\\\n]|\\.){0,2000}'")


def read_code(text: str) -> Reading | None:
    """A program, a query or a call; None for what reads as something else, mathematics among it."""
    said = text.strip().strip("`").strip()
    if not said or len(said) > _LONGEST or ("\\" in said and "\n" not in said and not _STRING.search(said)):
        return None
    if _QUERY.fullmatch(said) and re.search(r"\b(?:from|into|set|table|values|select)\b", said, re.IGNORECASE):
        return Reading("code", _outside_strings(said.rstrip("; \n"), lower=True))
    if (python := _python(said)) is not None:
        return Reading("code", python)
    if _COMMAND.fullmatch(said) and _OPTION.search(said) and not _MATHS.match(said):
        return Reading("code", said)  # of a shell: -a and -A are two options
    return (
        Reading("code", _outside_strings(said.rstrip("; \n"), lower=False))
        if _OTHER.search(said) and not _LATEX.search(said)
        else None
    )


def _python(text: str) -> str | None:
    lines = text.count("\n")
    if not (_PYTHON.search(text) or (_CALL.fullmatch(text) and not _MATHS.match(text)) or lines):
        return None
    if not lines and not re.search(r"[(:=\[]|^return\b|^import\b", text):
        return None
    try:
        tree = ast.parse(textwrap.dedent(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _python(f"def _():\n{textwrap.indent(text, ' ')}") if text.startswith("return") else None
    if lines and all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Name) for each in tree.body):
        return None  # words, one a line
    try:
        return ast.dump(tree)
    except RecursionError:
        return None


def _outside_strings(text: str, *, lower: bool) -> str:
    """White space means nothing beside signs, outside of strings; a query has no case."""
    parts: list[str] = []
    at = 0
    for string in _STRING.finditer(text):
        parts += [_dense(text[at : string.start()], lower=lower), f'"{string[0][1:-1]}"']
        at = string.end()
    parts.append(_dense(text[at:], lower=lower))
    return "".join(parts)


def _dense(text: str, *, lower: bool) -> str:
    text = re.sub(r" ?([^\w\s]) ?", r"\1", re.sub(r"\s+", " ", text))
    return text.casefold() if lower else text
