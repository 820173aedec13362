"""Tables that fit the terminal, and are whole in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ponder.cli.terminal.format import clip

__all__ = ["print_table"]

GAP = "  "


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be; on a terminal the last one is cut at the edge."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    if not sys.stdout.isatty():
        print("\n".join(lines))
        return
    console = Console(highlight=False)
    for number, line in enumerate(lines):
        console.print(Text(clip(line, console.width), style="" if number else "bold"))
