"""The `ponder` command: one module per verb."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line, and exit."""
    # Until all of it is imported nobody can say in a line what Ctrl-C has stopped; `Shell` takes over.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ponder.cli.commands import ponder

    ponder()
