"""`ponder replay`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder.cli.settings.options import examples, interpreted_option, json_option
from ponder.cli.shell import say
from ponder.cli.terminal.format import count
from ponder.cli.terminal.signs import signs

if TYPE_CHECKING:
    from ponder.core.errors import PonderError
    from ponder.replay.play.methods import Method
    from ponder.replay.play.outcome import Replayed
    from ponder.replay.traces.trace import Trace

__all__ = ["replay"]


FIRST_LOOK = (
    "self-consistency(n=1)",
    "self-consistency(n=4)",
    "self-consistency(n=16)",
    "adaptive-consistency(n=16)",
    "short-m-at-k(m=4,k=8)",
    "short-waves(n=16)",
    "cmc@0.5(n=16)",
)
"""What is played on the shipped trace if nothing is asked for."""


@click.command(
    epilog=examples(
        "ponder replay",
        "ponder replay M.aime24.json.zst --method cmc@0.5 --method esc",
        "ponder replay *.json.zst --method 'lead(m=3)' --orders 10 --json",
        "ponder replay t.parquet --method cmc@0:1:0.05 --method './mine.py(k=3)'",
    )
)
@click.argument("traces", metavar="[TRACE...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--method",
    "specs",
    metavar="SPEC",
    multiple=True,
    help="NAME, NAME@EFFORT or NAME(KEY=VALUE,...), see above; may be given several times. Without a TRACE there are "
    "some to begin with.",
)
@click.option("--orders", default=100, show_default=True, help="In how many orders the branches are opened.")
@click.option(
    "--seed-order",
    default="python",
    show_default=True,
    metavar="python|pcg64",
    help="python: random.Random(seed).shuffle for seeds 0, 1, ..., as published; pcg64: NumPy's, faster.",
)
@click.option("--probe-cost", type=int, help="Tokens charged for a probe.  [default: as measured, else 0]")
@click.option("--budget", metavar="tokens=N", help="A limit for every episode, as it would hold live.")
@click.option("--threads", type=click.IntRange(0), default=1, show_default=True, help="Cores to use; 0 for all.")
@interpreted_option
@json_option
def replay(
    traces: tuple[Path, ...],
    specs: tuple[str, ...],
    orders: int,
    seed_order: str,
    probe_cost: int | None,
    budget: str | None,
    threads: int,
    interpreted: bool | None,
    as_json: bool,
) -> None:
    """How methods would have done on recorded traces, without a model.

    A TRACE is a file of recorded branches: Ponder's own (.parquet), or JSON as AutoTTS publishes it, plain or packed
    (.gz, .zst); without one, the small trace that comes with Ponder. Every method plays every question once for each
    order.

    A method that does not fit a trace (too few branches, no scores) is left out there, and named at the end.

    A method is a controller (cmc, esc, ...), a strategy that needs no more than was recorded (single,
    strategy:adaptive-consistency), or a Python file of your own with a @controller (./mine.py, ./mine.py:NAME). Such a
    file is a program like any other: it runs with your rights. A number may be START:STOP:STEP, both ends included.
    """
    import ponder.controllers
    import ponder.strategies  # noqa: F401 - both register theirs
    from ponder.core.budget import Budget
    from ponder.replay.load import load_trace, shipped
    from ponder.replay.play.methods import methods

    if traces and not specs:
        raise click.UsageError("say what to play on these traces: --method SPEC")
    chosen = [method for spec in specs or FIRST_LOOK for method in methods(spec)]
    limit = Budget.parse(budget) if budget else None
    how = {
        "orders": orders,
        "seed_order": seed_order,
        "probe_cost": probe_cost,
        "budget": limit,
        "threads": threads,
        "interpreted": interpreted,
    }
    left_out: list[PonderError] = []
    rows: list[dict[str, Any]] = []
    with signs(lambda: f"{count(len(rows), 'method')} played so far"):
        rows.extend(_rows([load_trace(file) for file in traces or (shipped(),)], chosen, how, left_out))
    if not rows:
        raise left_out[0]
    if as_json:
        print(json.dumps({"results": rows, "left_out": [str(error) for error in left_out]}, indent=1))
    else:
        _print(rows)
    for error in left_out:
        say(f"left out: {error}")


def _rows(
    traces: list[Trace], methods: list[Method], how: dict[str, Any], left_out: list[PonderError]
) -> Iterator[dict[str, Any]]:
    """What fits, after all of it was tried; the rest is in `left_out`, with its reason."""
    from ponder.replay.play.methods import UNFIT

    fitting = []
    for trace in traces:
        for method in methods:
            try:
                method.try_on(trace, **{name: how[name] for name in ("orders", "seed_order", "probe_cost", "budget")})
                fitting.append((trace, method))
            except UNFIT as error:
                left_out.append(type(error)(f"{trace.name}: {method.spec}: {error}"))
    for trace, method in fitting:
        try:
            yield _row(trace, method, method.play(trace, **how), how)
        except UNFIT as error:
            left_out.append(type(error)(f"{trace.name}: {method.spec}: {error}"))


def _row(trace: Trace, method: Method, played: Replayed, how: dict[str, Any]) -> dict[str, Any]:
    error = played.standard_error
    return {
        "trace": trace.name,
        "method": method.spec,
        "settings": dict(method.settings),
        "accuracy_pct": round(100 * played.accuracy, 2),
        "standard_error_pct": None if error is None else round(100 * error, 2),
        "tokens_per_question": int(played.tokens.mean()),
        "sequential_tokens_per_question": int(played.sequential.mean()),
        "branches_per_question": round(float(played.opened.mean()), 2),
        "questions": len(trace.questions),
        "orders": how["orders"],
        "seed_order": how["seed_order"],
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from ponder.cli.terminal.table import print_table

    heads = ("TRACE", "ACCURACY", "± S.E.", "TOKENS", "SEQUENTIAL", "METHOD")
    lines = [
        (
            row["trace"],
            f"{row['accuracy_pct']:.2f} %",
            "unknown" if row["standard_error_pct"] is None else f"{row['standard_error_pct']:.2f}",
            f"{row['tokens_per_question']:,}",
            f"{row['sequential_tokens_per_question']:,}",
            row["method"],
        )
        for row in rows
    ]
    print_table(heads, lines)
    questions = " or ".join(map(str, sorted({row["questions"] for row in rows})))
    print(f"per question, over {questions} questions × {rows[0]['orders']} orders; ± over questions")
