"""From a model spec to a backend, in front of a person who waits."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ponder.cli.defaults import Defaults
from ponder.cli.shell import Terminated
from ponder.cli.sources import blamed
from ponder.core.backend import Backend, Price

__all__ = ["heeding_signals", "open_model"]


def open_model(spec: str | None, price: Price | None = None) -> Backend:
    """The backend for `spec`, or the default one; fetching weights shows its progress on standard error.

    It has the `price` that is given, or else that of the user's file, or else the one that is known.

    Call it outside the event loop: there Ctrl-C ends a download at once, and a load as soon as the runtime lets go.

    Raises:
        UsageError: no such model.
        WeightsError: the weights cannot be had.
    """
    from ponder.backends import DEFAULT_MODEL, connect
    from ponder.backends.weights import terminal_progress
    from ponder.engine import prices

    with heeding_signals(), terminal_progress(doing="opening the model") as show, blamed("model"):
        backend = connect(DEFAULT_MODEL if spec is None else spec, show)
    backend.price = price or _in_file(spec, backend) or prices.of(backend)
    return backend


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Raise again at the end what a signal has raised inside: the runtime swallows what comes while it calls back."""
    stopped: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def heed(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        raise Terminated if signal.SIGTERM in stopped else KeyboardInterrupt


def _in_file(spec: str | None, backend: Backend) -> Price | None:
    context = click.get_current_context(silent=True)
    defaults = context.find_object(Defaults) if context else None
    if defaults is None:
        return None
    return defaults.price_of(spec, backend.name, backend.name.partition("?")[0], backend.model)
