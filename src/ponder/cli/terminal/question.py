"""Where the question comes from."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import BinaryIO

import click

from ponder.core.errors import InvalidProblem
from ponder.core.problem import MAX_QUESTION_BYTES, Problem

__all__ = ["read_question"]


def read_question(words: tuple[str, ...], file: Path | None) -> Problem:
    """The problem in the one argument, on standard input if that is ``-``, or in `file`.

    Raises:
        click.UsageError: not exactly one of them was given.
        InvalidProblem: it cannot be read, is empty, too large, or not UTF-8.
    """
    if len(words) > 1:
        raise click.UsageError("the question is one argument: put it in quotes")
    if (not words) == (file is None):
        raise click.UsageError("give one question: as an argument, - for standard input, or --file FILE")
    if file is not None:
        if file.suffix.lower() in _SETS:
            raise InvalidProblem(f"{file} is a set of questions by its name; {_ONE}")
        try:
            with file.open("rb") as stream:
                return Problem.of(_check_is_one(_read(stream), str(file)))
        except OSError as error:
            raise InvalidProblem(f"cannot read {file}: {error.strerror}") from None
    if words[0] == "-":
        if sys.stdin is None:
            raise InvalidProblem("cannot read the question: standard input is closed")
        if sys.stdin.isatty():
            click.echo("Type the question; Ctrl-D on a line of its own ends it.", err=True)
        return Problem.of(_check_is_one(_read(sys.stdin.buffer), "standard input"))
    return Problem.of(os.fsencode(words[0]))  # the bytes that the shell gave, whatever they are


_SETS = {".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"}
_ONE = "`solve` takes one question at a time: give each by itself, from a loop in the shell or in Python"
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"\0\0\1\0", b"\xff\x0a", b"%PDF-")
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1f]|\A%PDF-|\A\xff")
_AT_FOUR = (b"ftyp", b"JXL ")
"""HEIC, AVIF, videos; JPEG XL: what stands after the size of the first box."""


def _check_is_one(content: bytes, name: str) -> bytes:
    """See that it is one question, and text.

    Raises:
        InvalidProblem: it is an image, or a file of many questions.
    """
    if (content.startswith(_IMAGES) or content[4:8] in _AT_FOUR) and _BINARY.search(content[:64]):
        raise InvalidProblem(
            f"{name} is an image or a document, and `solve` takes text; from Python and over `ponder serve` a message "
            "may hold images beside its text"
        )
    lines = [line for line in content[:65_536].splitlines() if line.strip()][:2]
    if (len(lines) == 2 and all(map(_is_object, lines))) or _is_list_of_objects(content):
        raise InvalidProblem(f"{name} holds a set of questions in JSON; {_ONE}")
    return content


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_list_of_objects(content: bytes) -> bool:
    try:
        value = json.loads(content) if content.lstrip().startswith(b"[") else None
    except ValueError:
        return False
    return isinstance(value, list) and len(value) > 1 and all(isinstance(each, dict) for each in value)


def _read(stream: BinaryIO) -> bytes:
    """All of it; an endless stream must not fill the memory."""
    content = stream.read(MAX_QUESTION_BYTES + 1)
    if len(content) > MAX_QUESTION_BYTES:
        raise InvalidProblem(f"the question has more than {MAX_QUESTION_BYTES:,} bytes, the limit")
    return content
