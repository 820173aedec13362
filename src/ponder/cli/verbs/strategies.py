"""`ponder strategies`."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from ponder.cli.settings.options import examples, load_option

if TYPE_CHECKING:
    from ponder.core.methods.registry import Strategy

__all__ = ["strategies"]

EFFORTS = (0.0, 0.5, 1.0)

MOST = 5
"""Options of one strategy in the list of all."""


@click.command(
    epilog=examples(
        "ponder strategies",
        "ponder strategies adaptive-consistency",
    )
)
@click.argument("name", required=False)
@load_option
def strategies(name: str | None, load: tuple[Path, ...]) -> None:
    """List the strategies and the controllers, or explain one.

    With a NAME: its options and their bounds, and what an effort sets them to.
    """
    from ponder.cli.settings.load_strategies import load_strategies
    from ponder.cli.terminal.table import print_table
    from ponder.core.errors import UnknownName
    from ponder.engine.methods import runnable

    load_strategies(load)
    known = runnable()
    if name is None:
        rows = [(one.name + _defaults(one), one.summary) for one in known.values()]
        print_table(("STRATEGY", "WHAT IT DOES"), rows)
    elif name in known:
        _explain(known[name])
    else:
        raise UnknownName("strategy", name, known)


def _defaults(strategy: Strategy) -> str:
    """The options as far as a line has room for them."""
    options = [_default(name, default) for name, (_, default) in strategy.options.items()]
    more = ["..."] if len(options) > MOST else []
    return f"({', '.join(options[:MOST] + more)})" if options else ""


def _default(name: str, default: Any) -> str:
    return name if default is Parameter.empty else f"{name}={default}"


def _explain(strategy: Strategy) -> None:
    from ponder.cli.terminal.report import print_fields

    required = [name for name, (_, default) in strategy.options.items() if default is Parameter.empty]
    fields = [("strategy", strategy.name), ("does", strategy.summary)]
    for name, (hint, default) in strategy.options.items():
        fields.append(("option", f"{_default(name, default)}  {_kind(hint)}"))
    if not required:  # what it needs depends on its options
        plan = strategy.plan()
        needs = ", ".join(sorted(capability.value for capability in plan.needs))
        fields.append(("needs", f"a model that can {needs}{' and a verifier' if plan.needs_verifier else ''}"))
    fields += [("effort", f"{effort:g}  {_settings(strategy, effort)}") for effort in EFFORTS if strategy.options]
    print_fields(fields, emphasis="strategy")


def _settings(strategy: Strategy, effort: float) -> str:
    values = strategy.effort(effort)
    return (
        ", ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items()
        )
        or "no effect"
    )


def _kind(hint: Any) -> str:
    from ponder.core.methods.options import Between

    bounds = [bound for bound in get_args(hint)[1:] if isinstance(bound, Between)]
    kind = get_args(hint)[0] if bounds else hint
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    word = {int: "whole number", float: "number", bool: "true or false", str: "text"}.get(kind, str(kind))
    return word + "".join(f" from {bound.low:g} to {bound.high:g}" for bound in bounds)
