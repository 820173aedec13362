"""`ponder compare`."""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder.cli.settings.options import examples, interpreted_option, json_option
from ponder.cli.shell import say
from ponder.cli.terminal.format import count
from ponder.cli.terminal.signs import signs

if TYPE_CHECKING:
    from ponder.bench.compare import Comparison
    from ponder.bench.compared_methods import Entry
    from ponder.bench.measure import Measured
    from ponder.replay.traces.trace import Trace

__all__ = ["compare"]


@click.command(
    epilog=examples(
        "ponder compare M.aime24.json.zst --method cmc --sweep -o frontier",
        "ponder compare *.json.zst --method cmc@0.5 --method ./mine.py@0.5 --json",
    )
)
@click.argument("traces", metavar="TRACE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--method",
    "methods",
    metavar="SPEC",
    multiple=True,
    help="A method as `ponder replay` takes it; may be given several times. The cheap baselines are always there.",
)
@click.option("--sweep", is_flag=True, help="Take every method at efforts 0, 0.1, ..., 1.")
@click.option(
    "--accuracy",
    "targets",
    metavar="PERCENT",
    multiple=True,
    type=click.FloatRange(0, 100),
    help="Say what this accuracy costs with each method; may be given several times.",
)
@click.option("--orders", default=100, show_default=True, help="In how many orders the branches are opened.")
@click.option("--probe-cost", default=None, type=int, help="Tokens charged for a probe; by default as measured, or 0.")
@click.option("--threads", type=click.IntRange(0), default=1, show_default=True, help="Cores to use; 0 for all.")
@interpreted_option
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write index.html, one PNG and SVG a trace, and compare.json there.",
)
@json_option
def compare(
    traces: tuple[Path, ...],
    methods: tuple[str, ...],
    sweep: bool,
    targets: tuple[float, ...],
    orders: int,
    probe_cost: int | None,
    threads: int,
    interpreted: bool | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Accuracy against tokens: which methods are worth their cost on recorded traces, and how sure that is.

    Prints every method with its interval, the Pareto front, what an accuracy costs, which method is ahead of which at
    equal cost, and which is both more accurate and cheaper; for each trace and for all together. Intervals and tests
    are paired over questions. A method that does not fit all traces (too few branches, no scores) is left out, and
    named at the end; the baselines are there even if nothing else is.
    """
    import ponder.controllers
    import ponder.strategies  # noqa: F401 - registers them
    from ponder.bench.compare import compare as compared
    from ponder.bench.compared_methods import entries
    from ponder.bench.document import as_dict
    from ponder.replay.load import load_trace

    if not all(map(math.isfinite, targets)):
        raise click.UsageError("--accuracy is a number from 0 to 100")
    if folder:
        _prepare(folder)
    loaded = [load_trace(file) for file in traces]
    chosen = entries(methods, min(trace.branches for trace in loaded), sweep=sweep)
    how = {"orders": orders, "probe_cost": probe_cost, "threads": threads, "interpreted": interpreted}
    measured, kept, left_out = _play(loaded, chosen, how)
    goals = [percent / 100 for percent in targets]
    comparisons = [compared([one], kept, goals) for one in measured]
    if len(measured) > 1:
        comparisons.append(compared(measured, kept, goals))
    document = json.dumps(
        {"orders": orders, "comparisons": [as_dict(one) for one in comparisons], "left_out": left_out}, indent=1
    )
    if folder:
        _write(folder, comparisons, document, orders)
    if as_json:
        print(document)
    else:
        _print(comparisons, orders, folder)
    for line in left_out:
        say(line)


def _print(comparisons: Sequence[Comparison], orders: int, folder: Path | None) -> None:
    from ponder.cli.terminal.comparison import print_comparison

    for one in comparisons:
        print_comparison(one, orders)
    if folder:
        print(f"written to {folder}: index.html, compare.json and {len(comparisons)} figures as PNG and SVG")


def _play(
    traces: Sequence[Trace], entries: Sequence[Entry], how: dict[str, Any]
) -> tuple[list[Measured], list[Entry], list[str]]:
    from ponder.bench.measure import measure

    steps, played = len(entries) * len(traces), 0

    def tick() -> None:
        nonlocal played
        played += 1
        bar.update(1)

    terminal = sys.stderr.isatty()
    telling = nullcontext() if terminal else signs(lambda: f"{played} of {count(steps, 'setting')} played")
    with click.progressbar(length=steps, label="playing", file=sys.stderr, hidden=not terminal) as bar, telling:
        measured, kept, left_out = measure(traces, entries, tick=tick, **how)
    return measured, kept, [_left_out(curve, why, entries) for curve, why in left_out.items()]


def _left_out(curve: str, why: Sequence[str], entries: Sequence[Entry]) -> str:
    settings = sum(entry.curve == curve for entry in entries)
    if settings == 1:
        return f"left out: {why[0]}"
    return f"{len(why)} of {settings} settings of {curve} are left out; the first: {why[0]}"


def _prepare(folder: Path) -> None:
    """Fail now rather than after all methods have been played."""
    from ponder.core.errors import MissingCapability

    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise MissingCapability("drawing needs matplotlib: pip install 'ponder[plots]'") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def _write(folder: Path, comparisons: Sequence[Comparison], document: str, orders: int) -> None:
    from ponder.bench.page import page
    from ponder.bench.plots import save

    try:
        (folder / "compare.json").write_text(document + "\n", "utf-8")
        (folder / "index.html").write_text(page(comparisons[::-1], orders), "utf-8")
        names: set[str] = set()
        for one in comparisons:
            save(one, folder / _file_name(one.name, names))
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> Exception:
    from ponder.core.errors import UsageError

    return UsageError(f"{folder} cannot be written: {error.strerror or error}; give another folder with -o")


def _file_name(name: str, taken: set[str]) -> str:
    """The name of a trace, as far as a file name may hold it, and unlike all before."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:80] or "trace"
    made, number = plain, 2
    while made.lower() in taken:
        made, number = f"{plain}-{number}", number + 1
    taken.add(made.lower())
    return made
