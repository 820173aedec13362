"""`ponder resume`."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder.cli.settings.options import examples, json_option, load_option, run_argument, show_branches_option

if TYPE_CHECKING:
    from ponder.api import OnStart
    from ponder.core.answer import Answer
    from ponder.engine.live.call import Watch

__all__ = ["resume"]


@click.command(
    epilog=examples(
        "ponder resume last",
        "ponder resume 3f9a --show-branches",
    )
)
@run_argument(required=True)
@load_option
@show_branches_option
@json_option
def resume(run: str, load: tuple[Path, ...], show_branches: bool, as_json: bool) -> int:
    """Finish a run that was stopped or killed.

    RUN is the run's id, the beginning of it, or last. No answered call is made again. A run that is done just gives
    its answer.
    """
    from ponder.api import aresume
    from ponder.cli.settings.load_strategies import load_strategies
    from ponder.cli.terminal.foreground import Outcome, conduct
    from ponder.cli.terminal.open_model import open_model
    from ponder.cli.terminal.report import present
    from ponder.cli.terminal.views import view_for
    from ponder.core.answer import Answer
    from ponder.core.errors import UnknownName, UsageError
    from ponder.engine.methods import parse_spec
    from ponder.store.opening import open_store

    load_strategies(load)
    store = open_store()
    row = store.run(run)
    if row.status == "done" and row.answer is not None:
        answer = Answer.from_dict(row.answer)
        present(answer, store, as_json=as_json, show_branches=show_branches)
        return Outcome(answer, None).exit_code
    try:
        parse_spec(row.job["strategy"])
    except UnknownName as error:
        raise UsageError(f"{error}; if it is your own, give its file with --load") from None
    backend = open_model(row.job["model"])

    def start(watch: Watch, on_start: OnStart) -> Coroutine[Any, Any, Answer]:
        return aresume(row.id, store, backend=backend, watch=watch, on_start=on_start)

    outcome = conduct(start, backend, view_for(as_json))
    present(outcome.answer, store, as_json=as_json, show_branches=show_branches)
    return outcome.exit_code
