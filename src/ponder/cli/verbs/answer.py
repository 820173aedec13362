"""`ponder answer`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ponder.cli.settings.options import examples, json_option

if TYPE_CHECKING:
    from ponder.answers.kinds import Reading

__all__ = ["answer", "compare", "extract"]


@click.group(
    epilog=examples("ponder answer extract reply.txt", "ponder answer compare 0.5 1/2"), invoke_without_command=True
)
@click.pass_context
def answer(context: click.Context) -> None:
    """See what is taken for the answer of a reply, and which answers are the same."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@answer.command(
    epilog=examples(
        "ponder answer extract reply.txt",
        'echo "Canberra is the capital." | ponder answer extract - --question "What is the capital of Australia?"',
    )
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--question", default="", metavar="TEXT", help="What was asked: a short reply is read in its light.")
@json_option
def extract(file: Path, question: str, as_json: bool) -> int:
    """Show the answer in the reply that FILE holds, its kind and its normal form.

    Exit status 1 if there is none. With "-" the reply comes from standard input.
    """
    from ponder.answers import extract as found_in
    from ponder.answers.kinds import read

    found = found_in(_text(file), question)
    reading = None if found is None else read(found)
    _show({"answer": found, **_fields(reading)}, as_json)
    return 1 if found is None else 0


@answer.command(
    epilog=examples(
        "ponder answer compare 0.5 1/2", 'ponder answer compare "5 km" "5000 m"', "ponder answer compare 2-1 1-2"
    )
)
@click.argument("first")
@click.argument("second")
@json_option
def compare(first: str, second: str, as_json: bool) -> int:
    """Show the kinds and normal forms of two answers, whether they are the same, and what told.

    Exit status 1 if they differ. An answer that begins with a minus comes after "--".
    """
    from ponder.answers import Equivalence
    from ponder.answers.kinds import read

    readings = read(first), read(second)
    decision = asyncio.run(Equivalence().decide(first, second))
    same, by = decision.same, decision.by
    if as_json:
        sides = [{"answer": text, **_fields(reading)} for text, reading in zip((first, second), readings, strict=True)]
        print(json.dumps({"same": same, "decided_by": by, "answers": sides}, ensure_ascii=False))
    else:
        for text, reading in zip((first, second), readings, strict=True):
            print(f"{text}\n  kind         {reading.called}\n  normal form  {reading.normal}")
        print(f"{'the same' if same else 'different'}, by {by}")
    return 0 if same else 1


def _fields(reading: Reading | None) -> dict[str, str | None]:
    return {"kind": None, "normal": None} if reading is None else {"kind": reading.called, "normal": reading.normal}


def _show(fields: dict[str, str | None], as_json: bool) -> None:
    if as_json:
        print(json.dumps(fields, ensure_ascii=False))
    elif fields["answer"] is None:
        print("no answer")
    else:
        print(f"{fields['answer']}\n  kind         {fields['kind']}\n  normal form  {fields['normal']}")


def _text(file: Path) -> str:
    from ponder.core.errors import UsageError

    if str(file) == "-" and sys.stdin is None:
        raise UsageError("cannot read the reply: standard input is closed")
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}") from None
