"""Where the question comes from."""

from __future__ import annotations

import os
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
        try:
            with file.open("rb") as stream:
                return Problem.of(_read(stream))
        except OSError as error:
            raise InvalidProblem(f"cannot read {file}: {error.strerror}") from None
    if words[0] == "-":
        if sys.stdin is None:
            raise InvalidProblem("cannot read the question: standard input is closed")
        if sys.stdin.isatty():
            click.echo("Type the question; Ctrl-D on a line of its own ends it.", err=True)
        return Problem.of(_read(sys.stdin.buffer))
    return Problem.of(os.fsencode(words[0]))  # the bytes that the shell gave, whatever they are


def _read(stream: BinaryIO) -> bytes:
    """All of it; an endless stream must not fill the memory."""
    content = stream.read(MAX_QUESTION_BYTES + 1)
    if len(content) > MAX_QUESTION_BYTES:
        raise InvalidProblem(f"the question has more than {MAX_QUESTION_BYTES:,} bytes, the limit")
    return content
