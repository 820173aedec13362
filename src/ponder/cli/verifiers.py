"""`ponder verifiers`."""

from __future__ import annotations

import json

import click

from ponder.cli.options import examples, json_option

__all__ = ["verifiers"]


@click.command(
    epilog=examples(
        "ponder verifiers",
        'ponder solve -s best-of-n -v "p-yes(k=2)" "..."',
        "ponder solve -s best-of-n -v ./checks.py:is_short -f question.txt",
    )
)
@json_option
def verifiers(as_json: bool) -> None:
    """List what can score answers: names for --verifier.

    A function of your own takes the problem and the answer, and gives a number between 0 and 1, or a bool.
    """
    from ponder.cli.tables import print_table
    from ponder.verifiers import NAMES

    if as_json:
        print(json.dumps(NAMES, indent=2))
    else:
        print_table(("VERIFIER", "WHAT IT SAYS"), list(NAMES.items()))
