"""All commands, together."""

from __future__ import annotations

import click

from ponder import __version__
from ponder.cli.settings.defaults import read_defaults
from ponder.cli.settings.options import examples
from ponder.cli.shell import Shell
from ponder.cli.verbs.answer import answer
from ponder.cli.verbs.compare import compare
from ponder.cli.verbs.completion import completion
from ponder.cli.verbs.config import config
from ponder.cli.verbs.demo import demo
from ponder.cli.verbs.doctor import doctor
from ponder.cli.verbs.import_traces import import_
from ponder.cli.verbs.keys import keys
from ponder.cli.verbs.models import models
from ponder.cli.verbs.record import record
from ponder.cli.verbs.replay import replay
from ponder.cli.verbs.resume import resume
from ponder.cli.verbs.runs import runs
from ponder.cli.verbs.serve import serve
from ponder.cli.verbs.solve import solve
from ponder.cli.verbs.strategies import strategies
from ponder.cli.verbs.verifiers import verifiers

__all__ = ["ponder"]


CALLING = ("demo", "solve", "serve", "resume", "record")
"""The commands that call a model: for them the user's file is read."""


@click.group(
    cls=Shell,
    epilog=examples(
        "ponder demo",
        'ponder solve "A question with a definite answer"',
        "ponder doctor",
    ),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="ponder", message="%(prog)s %(version)s")
@click.pass_context
def ponder(context: click.Context) -> None:
    """Better answers from a language model, at a known price."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        return
    if context.invoked_subcommand in CALLING:
        context.obj = read_defaults()
        # click looks here for what neither the command line nor the environment sets. The price is for `open_model`:
        # the file may have a nearer one.
        found = {name: value for name, value in context.obj.values.items() if name != "price"}
        context.default_map = {context.invoked_subcommand: found}


for command in (
    demo, solve, serve, keys, resume, runs, record, import_, replay, compare, answer, models, strategies, verifiers,
    config, doctor, completion,
):  # fmt: skip
    ponder.add_command(command)
