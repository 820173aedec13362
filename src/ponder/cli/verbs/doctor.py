"""`ponder doctor`."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING

import click

from ponder.cli.settings.options import examples

if TYPE_CHECKING:
    from ponder.cli.verbs.doctor_checks import Finding

__all__ = ["doctor"]

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command(
    epilog=examples(
        "ponder doctor",
        "ponder doctor -m qwen3@http://localhost:8000/v1",
    )
)
@click.option("-m", "--model", metavar="SPEC", multiple=True, help="Ask the server of this model, too.")
def doctor(model: tuple[str, ...]) -> int:
    """Check this machine.

    Each line says ok, warn or fail, and what to do. The exit code is 1 if a line says fail. Keys are never shown.
    """
    from ponder.cli.verbs import doctor_checks as checks

    for spec in model:
        if "@http" not in spec and not spec.startswith("openai/"):
            raise click.UsageError(f"-m {spec}: only a server can be asked: MODEL@http://host:port/v1 or openai/MODEL")
    failed = False
    looks = (checks.machine, checks.program, checks.settings, checks.storage, checks.weights)
    for finding in chain(*(look() for look in looks), checks.servers(model)):
        _print(finding)
        failed = failed or finding.status == "fail"
    return int(failed)


def _print(finding: Finding) -> None:
    from rich.console import Console
    from rich.text import Text

    status = Text(f"{finding.status:6}", style=_STYLES[finding.status])
    line = Text.assemble(status, f"{finding.what:9} {finding.text}")
    if sys.stdout.isatty():
        Console(highlight=False).print(line, soft_wrap=True)
    else:
        print(line.plain, flush=True)
