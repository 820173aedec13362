"""Options that several commands share, and what the shell may complete them to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ponder.cli.settings.sources import Sourced

__all__ = [
    "budget_option",
    "completed_runs",
    "examples",
    "interpreted_option",
    "json_option",
    "load_option",
    "max_tokens_option",
    "model_option",
    "parquet",
    "price_option",
    "run_argument",
    "show_branches_option",
    "strategy_option",
    "temperature_option",
    "thinking_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]


def _strategies(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    import ponder.controllers
    import ponder.strategies  # noqa: F401 - registers them
    from ponder.engine.methods import runnable

    return [CompletionItem(name, help=known.summary) for name, known in runnable().items() if name.startswith(typed)]


def _models(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    from ponder.backends.weights import cards

    return [CompletionItem(card.name, help=card.licence) for card in cards() if card.name.startswith(typed)]


def completed_runs(context: click.Context, asking: object, typed: str) -> list[CompletionItem]:
    """The newest runs whose ids begin so."""
    from ponder.store.opening import open_store

    rows = [CompletionItem(row.id, help=row.status) for row in open_store().runs(limit=20)]
    return [item for item in (CompletionItem("last"), *rows) if item.value.startswith(typed)]


def examples(*lines: str) -> str:
    """The end of a help page; the first character keeps click from joining the lines."""
    return "\n  ".join(["\b\nExamples:", *lines])


interpreted_option: Decorator[Any] = click.option(
    "--interpreted/--compiled",
    default=None,
    help="Run the controllers as plain Python, or compile them first; by default what is quicker for so much work.",
)

strategy_option: Decorator[Any] = click.option(
    "-s",
    "--strategy",
    cls=Sourced,
    metavar="SPEC",
    default="self-consistency",
    show_default=True,
    shell_complete=_strategies,
    help="NAME, NAME@EFFORT or NAME(KEY=VALUE,...); `ponder strategies` lists them.",
)

model_option: Decorator[Any] = click.option(
    "-m",
    "--model",
    cls=Sourced,
    metavar="SPEC",
    shell_complete=_models,
    help="local/NAME (see `ponder models`), local/PATH.gguf, openai/MODEL or MODEL@http://host:port/v1; "
    "text/ before either asks for text completions.",
)

load_option: Decorator[Any] = click.option(
    "--load",
    metavar="FILE.py",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Run a Python file that registers strategies of your own; may be given several times.",
)

temperature_option: Decorator[Any] = click.option(
    "--temperature",
    cls=Sourced,
    type=float,
    help="0 to 2; how varied the replies are. Not set: 0.7, or the model's own where it takes none.",
)


thinking_option: Decorator[Any] = click.option(
    "--thinking",
    cls=Sourced,
    metavar="LEVEL|TOKENS",
    help="How much a model reasons before it answers: none, minimal, low, medium, high, xhigh, or so many tokens.",
)

price_option: Decorator[Any] = click.option(
    "--price",
    cls=Sourced,
    metavar="PROMPT/OUTPUT",
    help="Dollars per million tokens, where nobody knows the price, or PROMPT/CACHED/OUTPUT.",
)

json_option: Decorator[Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, nothing else."
)

show_branches_option: Decorator[Any] = click.option(
    "--show-branches", is_flag=True, help="Print the whole text of every branch, too."
)


def budget_option(help: str) -> Decorator[Any]:
    """``--budget``, which limits what `help` says."""
    return click.option("-b", "--budget", cls=Sourced, metavar="LIMITS", help=help)


def max_tokens_option(help: str) -> Decorator[Any]:
    """``--max-tokens``: the longest of what `help` says."""
    return click.option("--max-tokens", cls=Sourced, type=int, default=1024, show_default=True, help=help)


def run_argument(required: bool, name: str = "run", nargs: int = 1) -> Decorator[Any]:
    """A run by its id, the beginning of it, or ``last``; with `nargs` -1 several."""
    return click.argument(
        name, required=required, nargs=nargs, metavar=None if nargs == 1 else "RUN...", shell_complete=completed_runs
    )


def parquet(output: Path) -> Path:
    """`output`, if it is called as a trace is.

    Raises:
        click.UsageError: it is not.
    """
    if output.suffix != ".parquet":
        raise click.UsageError(f"the output {output} must be called NAME.parquet")
    return output
