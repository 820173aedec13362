"""`ponder demo`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ponder.cli.settings.options import examples, model_option

if TYPE_CHECKING:
    from ponder.api import OnStart
    from ponder.core.answer import Answer
    from ponder.engine.live.call import Watch

__all__ = ["MAX_TOKENS", "QUESTION", "REFERENCE", "SCALED", "SINGLE", "demo"]

QUESTION = "Ana is 14 years old. In 6 years her uncle will be 3 times as old as Ana is now. How old is her uncle today?"
"""A word problem that the default model solves, though not in every sample."""

REFERENCE = str(3 * 14 - 6)
"""The right answer, for the reader: no strategy sees it."""

MAX_TOKENS = 300

SINGLE = "single"
SCALED = "self-consistency(n=5)"

PHASES = (
    (SINGLE, 0.0, "One pass, at temperature 0:"),
    (SCALED, 0.7, "A vote among five samples, at temperature 0.7:"),
)

EVERY = 5.0
"""Seconds between two signs of life: this is the first thing that a stranger sees."""


@click.command(
    epilog=examples(
        "ponder demo",
        "ponder demo --model local/qwen2.5-coder-0.5b",
    )
)
@model_option
@click.option("--seed", type=int, default=1, show_default=True, help="Another number draws other samples.")
def demo(model: str | None, seed: int) -> int:
    """See one pass and a vote side by side.

    Solves one word problem twice on the embedded model, which is fetched on first use: with one careful pass
    (temperature 0), and by a vote among samples. Prints both answers with what they cost. One problem proves nothing:
    docs/log.md has what a vote gains on average, and where it gains nothing.
    """
    from ponder.api import asolve
    from ponder.cli.terminal.foreground import conduct
    from ponder.cli.terminal.open_model import open_model
    from ponder.cli.terminal.views import view_for
    from ponder.engine.live.driver import Live
    from ponder.store.opening import open_store

    store = open_store()
    print(f"{QUESTION}\n", flush=True)
    view = view_for(json=False)
    backend = open_model(model)
    answers: list[Answer] = []

    async def both(watch: Watch, on_start: OnStart) -> Answer:
        lives: list[Live] = []

        def began(live: Live, name: str | None) -> None:
            lives.append(live)
            on_start(live, name)

        for strategy, temperature, words in PHASES:
            if not view.moves:
                view.refresh()
                print(words, flush=True)
            answer = await asolve(
                QUESTION, strategy=strategy, temperature=temperature, model=backend, seed=seed, max_tokens=MAX_TOKENS,
                store=store, watch=watch, on_start=began,
            )  # fmt: skip
            answers.append(answer)
            if lives[-1].stopped:
                break
        return answer

    outcome = conduct(both, backend, view, EVERY)
    _compare(answers)
    return outcome.exit_code


def _compare(answers: Sequence[Answer]) -> None:
    from ponder.cli.terminal.report import fields
    from ponder.cli.terminal.table import print_table

    columns = [dict(fields(answer)) for answer in answers]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, *(column.get(name, "") for column in columns)) for name in names]
    rows.insert(1, ("right", *(REFERENCE for _ in columns)))
    print_table(("", *("ONE PASS", SCALED.upper())[: len(columns)]), rows)
