"""What a person sees while weights are fetched: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


PATIENCE = 5.0
"""Seconds after which a line is due, though there is no news."""


class _Told:
    """Lines of news, and one that says so where there have been none for a while."""

    def __init__(self, say: Callable[[str], None], doing: str) -> None:
        self._say, self._doing = say, doing
        self._said = self._began = time.monotonic()

    def note(self, text: str) -> None:
        self._said = time.monotonic()
        with suppress(OSError):  # nobody listens
            self._say(text)

    def beat(self) -> None:
        """Say that work goes on, if it is time to. Called from a thread: what blocks must not look dead."""
        now = time.monotonic()
        if now - self._said >= PATIENCE:
            self.note(f"... still {self._doing}, {now - self._began:.0f} s")


class _Bar(_Told):
    """A rich bar with size, rate and time left. It appears with the first byte, so that a cache hit shows nothing."""

    def __init__(self, console: Console, doing: str) -> None:
        super().__init__(lambda text: console.print(text, style="dim", highlight=False, markup=False), doing)
        self._console = console
        self._bar: Progress | None = None

    def update(self, done: int, total: int) -> None:
        self._said = time.monotonic()
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


class _Lines(_Told):
    """Plain lines for a pipe or a log file: one for each tenth that is reached, and one at least every few seconds."""

    def __init__(self, stream: TextIO, doing: str) -> None:
        super().__init__(lambda text: print(text, file=stream, flush=True), doing)
        self._tenth: int | None = None
        self._start = (0.0, 0)

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
def terminal_progress(stream: TextIO | None = None, doing: str = "at it") -> Iterator[FetchProgress]:
    """Progress on `stream` (default: standard error, so that standard output stays clean for results).

    Around whatever may take long: where there are no news for a few seconds, it says that it is still `doing` so.
    """
    stream = sys.stderr if stream is None else stream
    view: _Bar | _Lines
    if stream.isatty():
        from rich.console import Console

        view = _Bar(Console(file=stream), doing)
    else:
        view = _Lines(stream, doing)
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(view, over), daemon=True)
    heart.start()
    try:
        yield view
    finally:
        over.set()
        heart.join()
        view.close()


def _beat(view: _Told, over: threading.Event) -> None:
    while not over.wait(PATIENCE / 10):
        view.beat()
