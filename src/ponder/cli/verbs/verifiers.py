"""`ponder verifiers`."""

from __future__ import annotations

import json

import click

from ponder.cli.settings.options import examples, json_option

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

    math, exact and choice compare with a reference answer, so they are for Python and for recordings; the others work
    for any question. p-yes(k=4) lets the model write four checks before it judges.

    A function of your own is named MODULE:NAME or ./FILE.py:NAME. It is called with the problem (problem.question is
    the text) and the answer, and gives a number between 0 and 1, or a bool:

    def check(problem: Problem, answer: str) -> float | bool
    """
    from ponder.cli.terminal.table import print_table
    from ponder.verifiers import EXAMPLES, NAMES, SIGNATURE

    if as_json:
        print(json.dumps(NAMES, indent=2))
    else:
        rows = [(name, f"-v {EXAMPLES[name]}", what) for name, what in NAMES.items()]
        print_table(("VERIFIER", "FOR EXAMPLE", "WHAT IT SAYS"), rows)
        print(f"a function of your own: {SIGNATURE}")
