"""From a model spec to a backend, in front of a person who waits."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ponder.cli.settings.defaults import Defaults
from ponder.cli.settings.sources import blamed
from ponder.cli.shell import say
from ponder.core.backend import Backend
from ponder.core.bill import Price

__all__ = ["ending_at_once", "open_model"]


def open_model(spec: str | None, price: Price | None = None) -> Backend:
    """The backend for `spec`, or the default one; fetching weights shows its progress on standard error.

    It has the `price` that is given, or else that of the user's file, or else the one that is known.

    Ctrl-C ends the process at once, in a download as in a load: the next one goes on with what is there.

    Raises:
        UsageError: no such model.
        WeightsError: the weights cannot be had.
    """
    from ponder.backends import DEFAULT_MODEL, connect, prices
    from ponder.backends.weights import terminal_progress

    with ending_at_once(), terminal_progress(doing="opening the model") as show, blamed("model"):
        backend = connect(DEFAULT_MODEL if spec is None else spec, show)
    backend.price = price or _in_file(spec, backend) or prices.of(backend)
    return backend


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process with one line, whatever it is in the middle of.

    For work that leaves nothing to be settled. The runtime cannot be left in the middle of a load: it would wait for
    itself, or swallow what a handler raises. So the signals are taken by a thread.
    """
    ending = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    if not ending:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        number = signal.sigwait(ending)
        if not over.is_set():
            if sys.stderr is not None and sys.stderr.isatty():  # it has echoed ^C, and a bar may have hidden the cursor
                print("\x1b[?25h", file=sys.stderr)
            say("terminated" if number == signal.SIGTERM else "interrupted")
            os._exit(128 + number)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        signal.pthread_kill(watcher.ident or 0, ending[0])
        watcher.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_file(spec: str | None, backend: Backend) -> Price | None:
    context = click.get_current_context(silent=True)
    defaults = context.find_object(Defaults) if context else None
    if defaults is None:
        return None
    return defaults.price_of(spec, backend.name, backend.name.partition("?")[0], backend.model)
