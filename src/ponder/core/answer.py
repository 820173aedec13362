"""What comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ponder.core.bill import Bill
from ponder.core.branch import Branch

__all__ = ["Answer", "as_html", "as_markdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a problem, and how it came about.

    `value` is the final answer, None when there is none; `text` the whole reply that gives it. Where no branch gave an
    answer to vote on, `text` is the reply that stands for all, and `unvoted` is true. `confidence` in [0, 1] is the
    support of the winner as a share of what all complete branches could have given it (docs/concepts.md); None where
    it is not known. `votes` maps every answer to its weight, the winner first. `stopped_because` is a phrase for
    people. `branch` is the id of the branch whose reply `text` is, None if it is of no single one. A strategy fills
    these; the engine adds the bill, all branches, `notes` (samples that failed, for example) and the run's id.
    """

    value: str | None
    text: str = ""
    confidence: float | None = None
    stopped_because: str = ""
    votes: Mapping[str, float] = field(default_factory=dict)
    branch: str | None = None
    abstained: bool = False
    unvoted: bool = False
    bill: Bill = field(default_factory=Bill)
    branches: tuple[Branch, ...] = ()
    notes: tuple[str, ...] = ()
    run: str | None = None

    @property
    def whole(self) -> bool:
        """True when `text` is a reply that came to its end, not one that was broken off on the way."""
        shown = next((branch for branch in self.branches if branch.id == self.branch), None)
        return bool(self.text) and (shown is None or shown.complete)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _repr_markdown_(self) -> str:
        return as_markdown(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "value": self.value,
            "text": self.text,
            "confidence": self.confidence,
            "stopped_because": self.stopped_because,
            "branch": self.branch,
            "abstained": self.abstained,
            "unvoted": self.unvoted,
            "votes": dict(self.votes),
            "bill": self.bill.as_dict(),
            "branches": [branch.as_dict() for branch in self.branches],
            "notes": list(self.notes),
            "run": self.run,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Answer:
        """The inverse of `as_dict`."""
        values = dict(data)
        values["bill"] = Bill.from_dict(values["bill"])
        values["branches"] = tuple(
            Branch(**{**branch, "tool_calls": tuple(branch.get("tool_calls", ()))}) for branch in values["branches"]
        )
        values["notes"] = tuple(values["notes"])
        return cls(**values)


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
