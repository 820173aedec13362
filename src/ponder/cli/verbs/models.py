"""`ponder models`."""

from __future__ import annotations

import click

from ponder.cli.settings.options import examples

__all__ = ["models"]


@click.command(
    epilog=examples(
        "ponder models",
    )
)
def models() -> None:
    """List the models that run inside the process.

    Others are reached as openai/MODEL, MODEL@http://host:port/v1 or local/PATH.gguf.
    """
    from ponder.backends import DEFAULT_MODEL
    from ponder.backends.weights import cached, cards
    from ponder.backends.weights.progress import human
    from ponder.cli.terminal.table import print_table

    rows = [
        (
            card.name,
            human(card.size),
            card.licence,
            "yes" if cached(card) else "no, fetched on first use",
            "default" if card.name == DEFAULT_MODEL else "",
        )
        for card in cards()
    ]
    print_table(("MODEL", "SIZE", "LICENCE", "CACHED", ""), rows)
