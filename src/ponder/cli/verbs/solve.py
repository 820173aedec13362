"""`ponder solve`."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ponder.cli.settings.options import (
    budget_option,
    examples,
    json_option,
    load_option,
    max_tokens_option,
    model_option,
    price_option,
    show_branches_option,
    strategy_option,
    temperature_option,
    thinking_option,
)
from ponder.cli.settings.sources import Sourced, blamed

if TYPE_CHECKING:
    from ponder.api import OnStart
    from ponder.core.answer import Answer
    from ponder.core.bill import Price
    from ponder.core.budget import Budget
    from ponder.core.settings import Thinking
    from ponder.engine.live.call import Watch

__all__ = ["solve"]


@click.command(
    epilog=examples(
        'ponder solve "What is 17 * 23?"',
        "ponder solve -s adaptive-consistency -e 0.5 -f problem.txt",
        'ponder solve -s "self-consistency(n=8)" -b tokens=20k,seconds=60 "..."',
        'ponder solve -m openai/gpt-4o-mini -b usd=0.05 --json "..." | jq .value',
        'ponder solve -m qwen3@http://localhost:8000/v1 -s short-m-at-k "..."',
    )
)
@click.argument("question", nargs=-1)
@click.option("-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="Read the question from a file.")
@strategy_option
@click.option("-e", "--effort", type=float, metavar="0..1", help="How much to spend: sets the strategy's options.")
@model_option
@budget_option("Limits that hold, such as tokens=20k,seconds=30,usd=0.05,calls=100.")
@click.option(
    "-v",
    "--verifier",
    cls=Sourced,
    metavar="NAME",
    help="What scores the answers, for strategies that need it, such as p-yes; `ponder verifiers` lists them.",
)
@max_tokens_option("The longest reply, in tokens.")
@temperature_option
@thinking_option
@click.option("--seed", type=int, help="Repeat a run, on a model that honours seeds.")
@price_option
@click.option("--abstain-below", type=float, metavar="0..1", help="Withhold an answer with less confidence than this.")
@click.option(
    "--answers",
    type=click.Choice(["rules", "model"]),
    default="rules",
    show_default=True,
    help="Who finds the answer in a reply: rules, or where they find none the model, in a short call on the bill.",
)
@click.option("--no-store", is_flag=True, help="Keep no record of the run: it cannot be resumed.")
@load_option
@show_branches_option
@json_option
def solve(
    question: tuple[str, ...],
    file: Path | None,
    strategy: str,
    effort: float | None,
    model: str | None,
    budget: Budget | None,
    verifier: str | None,
    max_tokens: int,
    temperature: float | None,
    thinking: Thinking | None,
    seed: int | None,
    price: Price | None,
    abstain_below: float | None,
    answers: Literal["rules", "model"],
    no_store: bool,
    load: tuple[Path, ...],
    show_branches: bool,
    as_json: bool,
) -> int:
    """Answer a question by spending more computation on it.

    QUESTION is the question itself, or - to read it from standard input. Ctrl-C stops the run and prints the best
    answer so far; `ponder resume` goes on from there.

    Options that are not given come from PONDER_MODEL, PONDER_STRATEGY, PONDER_BUDGET and the like, then from
    ~/.config/ponder/config.toml (or the file that PONDER_CONFIG names); `ponder config` shows them.

    The exit code is 0 with an answer or a whole reply, 1 without or after a run that failed, 2 if something has to be
    put right first, 130 after Ctrl-C.
    """
    from ponder import verifiers
    from ponder.api import asolve
    from ponder.cli.settings.load_strategies import load_strategies
    from ponder.cli.terminal.foreground import conduct
    from ponder.cli.terminal.open_model import open_model
    from ponder.cli.terminal.question import read_question
    from ponder.cli.terminal.report import present
    from ponder.cli.terminal.views import view_for
    from ponder.engine.methods import parse_spec
    from ponder.store.opening import open_store

    # Whatever can be refused is refused before weights are fetched or a model is loaded.
    problem = read_question(question, file)
    load_strategies(load)
    with blamed("strategy"):
        plan = parse_spec(strategy)
    if effort is not None:
        plan = plan.strategy.plan(effort, **{name: plan.values[name] for name in plan.given})
    if verifier is not None:
        with blamed("verifier"):
            verifiers.resolve(verifier)
    store = None if no_store else open_store()
    backend = open_model(model, price)

    def start(watch: Watch, on_start: OnStart) -> Coroutine[Any, Any, Answer]:
        return asolve(
            problem, strategy=plan, model=backend, budget=budget, verifier=verifier, max_tokens=max_tokens,
            temperature=temperature, thinking=thinking, seed=seed, abstain_below=abstain_below,
            answers=answers, store=store, watch=watch, on_start=on_start,
        )  # fmt: skip

    outcome = conduct(start, backend, view_for(as_json))
    present(outcome.answer, store, as_json=as_json, show_branches=show_branches)
    return outcome.exit_code
