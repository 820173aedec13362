"""All commands, together."""

from __future__ import annotations

import click

from ponder import __version__
from ponder.cli.answer import answer
from ponder.cli.compare import compare
from ponder.cli.completion import completion
from ponder.cli.config import config
from ponder.cli.defaults import read_defaults
from ponder.cli.demo import demo
from ponder.cli.doctor import doctor
from ponder.cli.importing import import_
from ponder.cli.keys import keys
from ponder.cli.models import models
from ponder.cli.options import examples
from ponder.cli.record import record
from ponder.cli.replay import replay
from ponder.cli.resume import resume
from ponder.cli.runs import runs
from ponder.cli.serve import serve
from ponder.cli.shell import Shell
from ponder.cli.solve import solve
from ponder.cli.strategies import strategies
from ponder.cli.verifiers import verifiers

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
