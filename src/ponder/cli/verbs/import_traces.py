"""`ponder import`."""

from __future__ import annotations

from pathlib import Path

import click

from ponder.cli.settings.options import examples, parquet

__all__ = ["autotts", "import_", "samples"]

_files = click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
_output = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="The trace, NAME.parquet."
)


@click.group(
    "import",
    epilog=examples(
        "ponder import autotts Qwen3-8B.aime24.json.zst -o aime24.parquet",
        "ponder import samples cot1_40.jsonl.zst --map date.toml -o date.parquet",
    ),
    invoke_without_command=True,
)
@click.pass_context
def import_(context: click.Context) -> None:
    """Make traces for `ponder replay` of what others have recorded."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@import_.command(
    epilog=examples(
        "ponder import autotts Qwen3-8B.aime24.json.zst -o aime24.parquet",
        "ponder import autotts *.aime24.json.zst -o traces/",
    )
)
@_files
@_output
def autotts(files: tuple[Path, ...], output: Path) -> None:
    """Traces with probes as AutoTTS publishes them: .json, plain or packed (.gz, .zst).

    Of several files each becomes a trace in the folder OUT.
    """
    from ponder.core.errors import TraceError
    from ponder.replay.importers.autotts import import_autotts

    if len(files) == 1 and not output.is_dir():
        _done(output, import_autotts(files[0], parquet(output)))
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TraceError(f"cannot write {output}: {error.strerror or error}") from error
    for file in files:
        made = output / f"{file.name.split('.json')[0]}.parquet"
        _done(made, import_autotts(file, made))


@import_.command(
    epilog=examples(
        "ponder import samples cot1_40.jsonl.zst --map date.toml -o date.parquet",
        "ponder import samples samples.jsonl results.jsonl --map code.toml -o code.parquet",
    )
)
@_files
@click.option(
    "--map",
    "mapping",
    required=True,
    type=click.Path(path_type=Path),
    metavar="MAPPING",
    help="A TOML file that says which field is what, such as: question = 'prompt'; see docs/traces.md.",
)
@_output
def samples(files: tuple[Path, ...], mapping: Path, output: Path) -> None:
    """Whole samples without probes: JSONL, plain or packed (.gz, .zst), one question a line.

    Of several FILEs line i of each is about the same question, and adds fields to it.
    """
    from ponder.answers import extract
    from ponder.replay.importers.mapping import read_mapping
    from ponder.replay.importers.samples import import_samples

    _done(output, import_samples(files, read_mapping(mapping), parquet(output), extract))


def _done(file: Path, questions: int) -> None:
    from ponder.cli.terminal.format import count

    print(f"{file}: {count(questions, 'question')}")
