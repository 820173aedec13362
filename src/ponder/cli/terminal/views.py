"""How a run is followed: on a terminal, in a pipe, or not at all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from ponder.cli.terminal.format import clip, count, one_line

if TYPE_CHECKING:
    from ponder.cli.terminal.snapshot import Picture, Row
    from ponder.engine.live.driver import Live

__all__ = ["Lines", "Silent", "View", "view_for"]


class View(Protocol):
    """Told of a run, and asked to show it about eight times a second.

    One that `moves` shows by itself that the run is alive.
    """

    moves: bool

    def began(self, live: Live) -> None:
        """The run begins."""

    def watch(self, branch: str, text: str, tokens: int) -> None:
        """A branch has grown."""

    def refresh(self) -> None:
        """Show what is new."""

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice."""


class Silent:
    """Shows nothing. The text is streamed all the same: what a call had cost when it was cut is known only then."""

    moves = False

    def began(self, live: Live) -> None:
        """The run begins."""

    def watch(self, branch: str, text: str, tokens: int) -> None:
        """A branch has grown."""

    def refresh(self) -> None:
        """Show what is new."""

    def close(self) -> None:
        """Nothing was opened."""


class Lines:
    """One plain line for each branch that ends."""

    moves = False

    WIDTH = 60

    def __init__(self) -> None:
        self._picture: Picture | None = None
        self._told: set[str] = set()

    def began(self, live: Live) -> None:
        """The run begins."""
        from ponder.cli.terminal.snapshot import Picture

        self.refresh()  # the last words of the run before
        self._picture = Picture(live)
        self._told.clear()

    def watch(self, branch: str, text: str, tokens: int) -> None:
        """A branch has grown."""
        if self._picture is not None:
            self._picture.watch(branch, text, tokens)

    def refresh(self) -> None:
        """Print the branches that have ended since the last time."""
        for row in self._picture.rows() if self._picture is not None else ():
            if not row.live and row.id not in self._told:
                self._told.add(row.id)
                print(self._line(row), flush=True)

    def close(self) -> None:
        """Every line is out already."""

    def _line(self, row: Row) -> str:
        if row.state == "failed":
            outcome = one_line(row.text)
        elif row.state == "done":
            outcome = "no answer" if row.answer is None else clip(one_line(row.answer), self.WIDTH)
        else:
            outcome = {"budget": "out of budget", "cut": "cut off"}.get(row.state, row.state)
        return f"{row.id}  {count(row.tokens, 'token')}  {outcome}"


def view_for(json: bool) -> View:
    """The view that suits the output."""
    if json:
        return Silent()
    if sys.stdout.isatty():
        from ponder.cli.terminal.screen import Screen, usable

        if usable():
            return Screen()
    return Lines()
