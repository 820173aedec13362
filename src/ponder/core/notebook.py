"""An answer as notebooks show it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponder.core.answer import Answer

__all__ = ["as_html", "as_markdown"]

_LONGEST = 2_000  # characters of a text
_MOST_VOTES = 8


def as_html(answer: Answer) -> str:
    """A small table; whatever the model wrote is escaped."""
    left = "text-align:left;white-space:pre-wrap"
    rows = "".join(
        f'<tr><th style="{left}">{name}</th><td style="{left}">{escape(value)}</td></tr>'
        for name, value in _rows(answer)
    )
    return f"<table>{rows}</table>"


def as_markdown(answer: Answer) -> str:
    """The same as a Markdown table; what the model wrote is code, so that it means nothing there."""
    lines = [f"| {name} | {_cell(value)} |" for name, value in _rows(answer)]
    return "\n".join(["| | |", "|---|---|", *lines])


def _rows(answer: Answer) -> list[tuple[str, str]]:
    said = answer.value if answer.value is not None else answer.text or "none"
    confidence = "unknown" if answer.confidence is None else f"{answer.confidence:.2f}"
    votes = " · ".join(f"{value[:60]} ×{weight:g}" for value, weight in list(answer.votes.items())[:_MOST_VOTES])
    bill = answer.bill
    cost = "unknown" if bill.usd is None else f"${bill.usd:.4f}"
    rows = [
        ("answer" if answer.value is not None else "unvoted", said[:_LONGEST]),
        ("confidence", confidence),
        ("votes", votes),
        ("stopped", answer.stopped_because),
        ("tokens", f"{bill.total_tokens:,} total, {bill.sequential_tokens:,} sequential"),
        ("price", cost),
        *(("note", note) for note in answer.notes),
    ]
    return [(name, value) for name, value in rows if value]


def _cell(value: str) -> str:
    """Code in a cell: neither a bar nor a backquote nor a line end may end it."""
    return "`" + " ".join(value.split()).replace("`", "'").replace("|", "\\|") + "`"
