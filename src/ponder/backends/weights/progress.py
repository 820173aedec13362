"""What a person sees while weights are fetched: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["FetchProgress", "Meter", "Quiet", "human", "terminal_progress"]


class FetchProgress(Protocol):
    """Told how a fetch goes on. Both methods are called from the event loop's thread and must return at once."""

    def note(self, text: str) -> None:
        """One line of news: which source is tried, why one failed."""

    def update(self, done: int, total: int) -> None:
        """`done` of `total` bytes are here. `done` may fall when a piece has to be fetched again."""


class Quiet:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def update(self, done: int, total: int) -> None:
        """Draw nothing."""


class Meter:
    """Adds up the bytes of several downloads for one `FetchProgress`."""

    def __init__(self, show: FetchProgress, total: int, done: int = 0) -> None:
        self._show, self._total, self._done = show, total, done
        show.update(done, total)

    def add(self, count: int) -> None:
        """`count` more bytes came; negative when bytes were thrown away."""
        self._done += count
        self._show.update(self._done, self._total)


def human(size: int) -> str:
    """A number of bytes for a person: ``1.1 GB``."""
    from rich.filesize import decimal

    return decimal(size)


class _Bar:
    """A rich bar with size, rate and time left. It appears with the first byte, so that a cache hit shows nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None

    def note(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False, markup=False)

    def update(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = self._start(total)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def _start(self, total: int) -> Progress:
        from rich import progress as rich

        columns = (rich.BarColumn(), rich.DownloadColumn(), rich.TransferSpeedColumn(), rich.TimeRemainingColumn())
        bar = rich.Progress(*columns, console=self._console)
        bar.add_task("weights", total=total)
        bar.start()
        return bar

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


PATIENCE = 10.0
"""Seconds after which a line is due, though no tenth has been reached."""


class _Lines:
    """Plain lines for a pipe or a log file: one for each tenth that is reached, and one at least every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tenth: int | None = None
        self._start = (0.0, 0)
        self._said = 0.0

    def note(self, text: str) -> None:
        self._said = time.monotonic()
        print(text, file=self._stream, flush=True)

    def update(self, done: int, total: int) -> None:
        tenth, now = 10 * done // max(total, 1), time.monotonic()
        if self._tenth is None:
            self._start = (now, done)
            self._said = now
            self._tenth = tenth
        elif tenth > self._tenth or now - self._said >= PATIENCE:
            self._tenth = max(tenth, self._tenth)
            rate = human(int((done - self._start[1]) / max(now - self._start[0], 1e-3)))
            self.note(f"{100 * done // max(total, 1)} % of {human(total)}, {rate}/s")

    def close(self) -> None:
        """Every line is already out."""


@contextmanager
def terminal_progress(stream: TextIO | None = None) -> Iterator[FetchProgress]:
    """Progress on `stream` (default: standard error, so that standard output stays clean for results)."""
    stream = sys.stderr if stream is None else stream
    view: _Bar | _Lines
    if stream.isatty():
        from rich.console import Console

        view = _Bar(Console(file=stream))
    else:
        view = _Lines(stream)
    try:
        yield view
    finally:
        view.close()
