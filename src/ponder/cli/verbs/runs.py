"""`ponder runs`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ponder.cli.settings.options import completed_runs, examples, json_option, run_argument, show_branches_option
from ponder.cli.verbs.pruning import prune, rm, vacuum

if TYPE_CHECKING:
    from ponder.store.base import RunRow, RunStore

__all__ = ["runs", "show"]


class _Runs(click.Group):
    """A group that is a command itself: without the name of another it shows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill in what is left out."""
        given = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        completing_a_name = ctx.resilient_parsing and not args
        return super().parse_args(ctx, args if given or completing_a_name else ["show", *args])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The runs, too."""
        return [*super().shell_complete(ctx, incomplete), *completed_runs(ctx, self, incomplete)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)


@click.group(
    cls=_Runs,
    epilog=examples(
        "ponder runs",
        "ponder runs last --show-branches",
        "ponder runs --json | jq '.[] | select(.status == \"interrupted\") | .run'",
        "ponder runs prune --older-than 30d",
    ),
)
def runs() -> None:
    """List the runs on this machine, show one, or remove what is not needed any more.

    What is kept is kept until it is removed. Without a command, `ponder runs` and `ponder runs RUN` show.
    """


@runs.command(
    epilog=examples(
        "ponder runs",
        "ponder runs last --show-branches",
        "ponder runs --json | jq '.[] | select(.status == \"interrupted\") | .run'",
    )
)
@run_argument(required=False)
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first."
)
@show_branches_option
@json_option
def show(run: str | None, limit: int, show_branches: bool, as_json: bool) -> None:
    """List the runs on this machine, or show one.

    RUN is a run's id, the beginning of it, or last.
    """
    from ponder.cli.terminal.report import present
    from ponder.cli.terminal.table import print_table
    from ponder.core.answer import Answer
    from ponder.core.errors import InvalidOption
    from ponder.store.opening import open_store

    store = open_store()
    if run is not None:
        row = store.run(run)
        if row.answer is None:
            raise InvalidOption(f"run {row.id} has no answer yet ({_status(store, row)}); `ponder resume {row.id}`")
        present(Answer.from_dict({**row.answer, "run": row.id}), store, as_json=as_json, show_branches=show_branches)
        return
    found = [_summary(store, row) for row in store.runs(limit)]
    if as_json:
        print(json.dumps(found, indent=2))
    elif not found:
        print("no runs yet; `ponder solve QUESTION` makes one")
    else:
        print_table(("RUN", "WHEN", "STATUS", "STRATEGY", "MODEL", "TOKENS", "ANSWER"), [_cells(one) for one in found])


def _summary(store: RunStore, row: RunRow) -> dict[str, Any]:
    answer = row.answer or {}
    return {
        "run": row.id,
        "created": datetime.fromtimestamp(row.created).astimezone().isoformat(timespec="seconds"),
        "status": _status(store, row),
        "strategy": row.job["strategy"],
        "model": row.job["model"],
        "tokens": answer.get("bill", {}).get("total_tokens"),
        "answer": answer.get("value"),
    }


def _status(store: RunStore, row: RunRow) -> str:
    """The status; a run whose process is gone does not run any more."""
    from ponder.core.errors import RunBusy

    if row.status != "running":
        return row.status
    try:
        with store.claim(row.id):
            return "interrupted"
    except RunBusy:
        return "running"


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    from ponder.cli.terminal.format import one_line

    return (
        one["run"],
        datetime.fromisoformat(one["created"]).strftime("%Y-%m-%d %H:%M"),
        one["status"],
        one["strategy"],
        one["model"],
        "" if one["tokens"] is None else f"{one['tokens']:,}",
        one_line(one["answer"] or ""),
    )


for command in (rm, prune, vacuum):
    runs.add_command(command)
