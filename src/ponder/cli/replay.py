"""`ponder replay`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder.cli.options import examples, json_option

if TYPE_CHECKING:
    from ponder.core.controller import ControllerPlan
    from ponder.replay.trace import Trace

__all__ = ["replay"]


@click.command(
    epilog=examples(
        "ponder replay M.aime24.json.zst --method cmc@0.5 --method esc",
        "ponder replay *.json.zst --method 'lead(m=3)' --orders 10 --json",
    )
)
@click.argument("traces", metavar="TRACE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--method",
    "methods",
    metavar="SPEC",
    multiple=True,
    required=True,
    help="A controller: NAME, NAME@EFFORT or NAME(KEY=VALUE,...); may be given several times.",
)
@click.option("--orders", default=100, show_default=True, help="In how many orders the branches are opened.")
@click.option(
    "--seed-order",
    type=click.Choice(["python"]),
    default="python",
    show_default=True,
    help="python: random.Random(seed).shuffle for seeds 0, 1, ..., as published.",
)
@click.option("--probe-cost", default=0, show_default=True, help="Tokens charged for a probe.")
@click.option("--threads", default=1, show_default=True, help="Cores to use; 0 for all.")
@click.option("--interpreted", is_flag=True, help="Run the controllers as plain Python, which needs no compiling.")
@json_option
def replay(
    traces: tuple[Path, ...],
    methods: tuple[str, ...],
    orders: int,
    seed_order: str,
    probe_cost: int,
    threads: int,
    interpreted: bool,
    as_json: bool,
) -> None:
    """How methods would have done on recorded traces, without a model.

    A TRACE is a JSON file as AutoTTS publishes them, plain or packed (.gz, .zst). Every method plays every question
    once for each order.
    """
    import ponder.controllers  # noqa: F401 - registers them
    from ponder.core.controller import parse_controller
    from ponder.replay.evaluate import replay as play
    from ponder.replay.importers.autotts import read_autotts

    plans = [parse_controller(spec) for spec in methods]
    rows = []
    for file in traces:
        trace = read_autotts(file)
        for spec, plan in zip(methods, plans, strict=True):
            played = play(
                trace,
                plan.controller.program,
                plan.arguments,
                orders=orders,
                probe_cost=probe_cost,
                interpreted=interpreted,
                threads=threads,
            )
            rows.append(_row(trace, spec, plan, played, orders, seed_order))
    if as_json:
        print(json.dumps({"results": rows}, indent=1))
    else:
        _print(rows)


def _row(trace: Trace, spec: str, plan: ControllerPlan, played: Any, orders: int, seed_order: str) -> dict[str, Any]:
    error = played.standard_error
    return {
        "trace": trace.name,
        "method": spec,
        "settings": dict(plan.values),
        "accuracy_pct": round(100 * played.accuracy, 2),
        "standard_error_pct": None if error is None else round(100 * error, 2),
        "tokens_per_question": int(played.tokens.mean()),
        "sequential_tokens_per_question": int(played.sequential.mean()),
        "branches_per_question": round(float(played.opened.mean()), 2),
        "questions": len(trace.questions),
        "orders": orders,
        "seed_order": seed_order,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from ponder.cli.tables import print_table

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
    print(f"per question, over {rows[0]['questions']} questions × {rows[0]['orders']} orders; ± over questions")
