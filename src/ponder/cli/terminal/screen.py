"""The live display on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live as Display
from rich.text import Text

from ponder.cli.terminal.format import clip, count, dollars, duration, one_line, tail, votes_line
from ponder.cli.terminal.snapshot import Picture, Row

if TYPE_CHECKING:
    from ponder.engine.live.driver import Live

__all__ = ["Screen", "render", "usable"]

AROUND = 5
"""Lines above and below the branches."""

NARROW = 50
"""Columns below which the state of a branch is left out for its text."""

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "budget": "yellow", "too long": "yellow"}


def usable() -> bool:
    """False on a terminal that cannot move its cursor."""
    return not Console().is_dumb_terminal


class Screen:
    """Branches, votes and spend, redrawn in place; gone when the run ends."""

    moves = True

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._display = Display(console=self._console, auto_refresh=False, transient=True)
        self._live: Live | None = None
        self._picture: Picture | None = None

    def began(self, live: Live) -> None:
        """The run begins."""
        self._live, self._picture = live, Picture(live)
        self._display.start()

    def watch(self, branch: str, text: str, tokens: int) -> None:
        """A branch has grown."""
        if self._picture is not None:
            self._picture.watch(branch, text, tokens)

    def refresh(self) -> None:
        """Draw."""
        if self._live is not None and self._picture is not None:
            lines = render(self._picture, self._live, self._console.width, self._console.height)
            self._display.update(Group(*lines), refresh=True)

    def close(self) -> None:
        """Take the display away."""
        self._display.stop()


def render(picture: Picture, live: Live, width: int, height: int) -> list[Text]:
    """The lines for a terminal of this size, in cells; never more than fit."""
    # The last column stays free: some terminals break the line there.
    width = max(width - 1, 1)
    rows = picture.rows()
    open_rows = sum(row.live for row in rows)
    what = "stopping" if live.stopped else "Ctrl-C stops and answers with what is there"
    title = f"{live.plan.spec}: {count(len(rows), 'branch', 'branches')}, {open_rows} open"
    lines = [
        Text(clip(title, width), style="bold"),
        *_branches(rows, width, max(height - AROUND, 0)),
        Text(clip(f"votes  {votes_line(_votes(rows))}", width)),
        Text(clip(f"spend  {_spend(picture, rows)}", width)),
        Text(clip(what, width), style="dim"),
    ]
    return lines[-max(height - 1, 1) :]


def _votes(rows: list[Row]) -> dict[str, float]:
    votes: dict[str, float] = {}
    for row in rows:
        if row.answer is not None:
            votes[row.answer] = votes.get(row.answer, 0) + 1
    return dict(sorted(votes.items(), key=lambda item: -item[1]))


def _spend(picture: Picture, rows: list[Row]) -> str:
    bill = picture.bill
    # A branch is a chain of tokens, so the longest one is a lower bound of what will be booked.
    sequential = max([bill.sequential_tokens, *(row.tokens for row in rows)])
    parts = [
        f"{picture.total_tokens:,} tokens",
        f"{sequential:,} sequential",
        "price unknown" if bill.usd is None else dollars(bill.usd),
        duration(picture.seconds),
    ]
    if bill.retries:
        parts.append(count(bill.retries, "retry", "retries"))
    return " · ".join(parts)


def _branches(rows: list[Row], width: int, room: int) -> list[Text]:
    """As many rows as there is room for, those that move before those that wait, and a line for the rest."""
    if len(rows) <= room:
        return [_row(row, width) for row in rows]
    if room < 1:
        return []
    first = sorted(rows, key=_rank)[: room - 1]
    shown = {row.id for row in first}
    rest = [row.state for row in rows if row.id not in shown]
    states = ", ".join(f"{rest.count(state)} {state}" for state in dict.fromkeys(rest))
    return [*(_row(row, width) for row in rows if row.id in shown), Text(clip(f"and {states}", width), style="dim")]


def _rank(row: Row) -> int:
    return 2 if row.state == "waiting" else 0 if row.live else 1


def _row(row: Row, width: int) -> Text:
    head = f"{tail(row.id, 8):8} {row.tokens:>6,} "
    state = f"{row.state:9} "
    if width < NARROW:
        head, state = f"{tail(row.id, 4):4} {row.tokens:>5,} ", ""
    room = max(width - len(head) - len(state), 1)
    if row.answer is not None:
        body = clip(f"= {one_line(row.answer)}", room)
    else:
        body = tail(one_line(row.text[-4 * room :]), room) if row.text or state else row.state
    line = Text.assemble(head, (state, _STYLES.get(row.state, "dim")), body)
    line.truncate(width, overflow="ellipsis")
    return line
