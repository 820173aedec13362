"""`ponder record`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ponder.cli.settings.options import (
    budget_option,
    examples,
    max_tokens_option,
    model_option,
    parquet,
    price_option,
    temperature_option,
    thinking_option,
)

if TYPE_CHECKING:
    from ponder.core.bill import Price
    from ponder.core.budget import Budget
    from ponder.core.settings import Thinking

__all__ = ["record"]


@click.command(
    epilog=examples(
        "ponder record --suite reasoning-gym:gsm_symbolic -n 16 -o t.parquet",
        "ponder record --problems q.jsonl -m qwen3@http://host:8000/v1 -o t.parquet",
    )
)
@click.option("--suite", metavar="NAME", help="Questions made by a package, such as reasoning-gym:gsm_symbolic.")
@click.option("--size", default=40, show_default=True, help="How many questions of the suite.")
@click.option(
    "--problems",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='Questions of your own: JSONL, {"question": ..., "reference": ...} a line.',
)
@model_option
@click.option("-n", "branches", default=16, show_default=True, help="Branches for each question.")
@click.option(
    "--interval", type=int, metavar="TOKENS", help="Probe every branch after so many tokens; without it, never."
)
@click.option("--probe-tokens", default=24, show_default=True, help="The longest answer of a probe, in tokens.")
@max_tokens_option("The longest branch, in tokens.")
@temperature_option
@thinking_option
@click.option("--seed", default=0, show_default=True, help="Of the suite and of the sampling.")
@budget_option("For the whole recording, from here on: tokens=2m,calls=500,usd=5,seconds=3600.")
@price_option
@click.option("--no-text", is_flag=True, help="Leave out what the branches wrote: a much smaller file.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The trace, NAME.parquet; until it is whole, finished questions are in NAME.parquet.part.",
)
def record(
    suite: str | None,
    size: int,
    problems: Path | None,
    model: str | None,
    branches: int,
    interval: int | None,
    probe_tokens: int,
    max_tokens: int,
    temperature: float | None,
    thinking: Thinking | None,
    seed: int,
    budget: Budget | None,
    price: Price | None,
    no_text: bool,
    output: Path,
) -> None:
    """Record a model's branches on many questions, for `ponder replay`.

    After each interval a branch is asked what it would answer now, and goes on as if it had not been asked. A model
    that cannot go on from a given text is recorded without probes. What was stopped or killed goes on where it was
    when the same command is given again.
    """
    from ponder.cli.terminal.foreground_recording import follow
    from ponder.cli.terminal.open_model import open_model
    from ponder.core.budget import Budget
    from ponder.core.errors import InvalidOption
    from ponder.core.settings import Settings
    from ponder.replay.recording import problems as sources
    from ponder.replay.recording.record import Recording
    from ponder.replay.traces.about import MOST_TOKENS
    from ponder.replay.traces.columns import arrow

    if (suite is None) == (problems is None):
        raise click.UsageError("give either --suite or --problems")
    parquet(output)
    limits = {"-n": (branches, 4096), "--interval": (interval, MOST_TOKENS), "--probe-tokens": (probe_tokens, 4096)}
    for option, (value, most) in limits.items():
        if value is not None and not 1 <= value <= most:
            raise InvalidOption(f"{option} {value} must lie between 1 and {most:,}")
    arrow()
    settings = Settings(max_tokens=max_tokens, temperature=temperature, thinking=thinking, probe_tokens=probe_tokens)
    if problems is not None:
        asked, source = sources.problems_in(problems), problems.name
    else:
        asked, source = sources.suite(suite or "", size, seed), f"{suite}, {size} questions, seed {seed}"
    what = Recording(
        asked=asked,
        source=source,
        n=branches,
        interval=interval,
        settings=settings,
        seed=seed,
        texts=not no_text,
        budget=budget or Budget(),
    )
    follow(what, open_model(model, price), output)
