"""The result of a run as a person reads it, and as a program does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator

from ponder.cli.terminal.format import clean, confidence, count, dollars, duration, one_line, votes_line
from ponder.core.answer import Answer
from ponder.core.bill import Bill
from ponder.core.branch import Branch
from ponder.store.base import RunStore

__all__ = ["fields", "present", "print_fields", "spent"]

MARGIN = 12
"""Where the values begin."""


def present(answer: Answer, store: RunStore | None, *, as_json: bool, show_branches: bool) -> None:
    """Print what came of the run that `answer` belongs to."""
    row = store.run(answer.run) if store is not None and answer.run is not None else None
    status = row.status if row else "done"
    if as_json:
        about = {name: row.job[name] for name in ("strategy", "model", "seed")} if row else {}
        print(json.dumps({"status": status, **about, **answer.as_dict()}, indent=2))
        return
    if show_branches:
        print("\n".join(_branch(branch) for branch in answer.branches))
    print_fields(fields(answer, resumable=status != "done"), emphasis="answer")


def print_fields(named: Iterable[tuple[str, str]], emphasis: str = "") -> None:
    """Names and values, one a line; on a terminal long values are wrapped below themselves."""
    if not sys.stdout.isatty():
        for name, value in named:
            print(f"{name:{MARGIN}}{value}")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for name, value in named:
        # Padded lines would leave holes when the terminal is made narrower later.
        lines = Text(value, style="bold" if name == emphasis else "").wrap(console, max(console.width - MARGIN, 1))
        for number, line in enumerate(lines):
            console.print(Text.assemble(("" if number else name).ljust(MARGIN), line))


def fields(answer: Answer, *, resumable: bool = False) -> Iterator[tuple[str, str]]:
    """Everything that there is to say about an answer: names and values."""
    yield "answer", _value(answer)
    if answer.unvoted:
        shown = "the reply that stands for all, whole" if answer.whole else "what had come of a reply when it broke off"
        yield "unvoted", f"no final answer was found to vote on; this is {shown}"
    yield "confidence", confidence(answer.confidence)
    yield "votes", votes_line(answer.votes)
    yield "stopped", one_line(answer.stopped_because) or "the strategy returned"
    yield from _costs(answer.bill)
    for note in answer.notes:
        yield "note", one_line(note)
    if answer.run is not None:
        go_on = f"; `ponder resume {answer.run}` goes on from here" if resumable else ""
        yield "run", f"{answer.run}{go_on}"


def _value(answer: Answer) -> str:
    if answer.value is not None:
        return clean(answer.value)
    if answer.abstained:
        return f"withheld; the votes lean to {one_line(next(iter(answer.votes)))}" if answer.votes else "withheld"
    if answer.text:
        return clean(answer.text)
    return "none"


def _costs(bill: Bill) -> Iterator[tuple[str, str]]:
    parts = (
        ("thinking", bill.thinking_tokens),
        ("probes", bill.probe_tokens),
        ("verifier", bill.verifier_tokens),
        ("discarded", bill.discarded_tokens),
    )
    among = ", ".join(f"{tokens:,} {name}" for name, tokens in parts if tokens)
    tokens = f"{bill.total_tokens:,} total, {bill.sequential_tokens:,} sequential"
    yield "tokens", f"{tokens} ({among})" if among else tokens
    yield "prompt", f"{count(bill.prompt_tokens, 'token')}, {bill.cached_prompt_tokens:,} of them cached"
    if bill.estimated_tokens:
        yield "estimated", f"{count(bill.estimated_tokens, 'token')} of these, which the server did not count"
    yield "calls", _calls(bill)
    yield "time", duration(bill.seconds)
    yield "price", dollars(bill.usd)


def _calls(bill: Bill) -> str:
    others = (("retried", bill.retries), ("failed", bill.failed_calls), ("lost in a crash", bill.lost_calls))
    return ", ".join([f"{bill.calls:,}", *(f"{number:,} {what}" for what, number in others if number)])


def spent(bill: Bill) -> str:
    """What a run that failed had cost, in a phrase."""
    price = "price unknown" if bill.usd is None else dollars(bill.usd)
    return (
        f"spent {count(bill.total_tokens, 'token')} in {count(bill.calls, 'call')}, {duration(bill.seconds)}, {price}"
    )


def _branch(branch: Branch) -> str:
    parts = [f"branch {branch.id}", count(branch.tokens, "token"), branch.ending or "open"]
    if branch.parent is not None:
        parts.append(f"from {branch.parent}")
    if branch.raw_answer is not None:
        parts.append(f"answer {one_line(branch.raw_answer)}")
    if branch.score is not None:
        parts.append(f"score {branch.score:.2f}")
    body = [f"(thinking) {branch.thinking}"] if branch.thinking else []
    body += [text for text in (branch.text, branch.error) if text]
    text = clean("\n".join(body)).strip()
    return f"--- {', '.join(parts)}\n{text}\n"
