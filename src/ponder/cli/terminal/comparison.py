"""A comparison of methods as text."""

from __future__ import annotations

from ponder.bench import format as words
from ponder.bench.compare import Comparison
from ponder.cli.terminal.format import one_line
from ponder.cli.terminal.table import print_table

__all__ = ["print_comparison"]


def print_comparison(comparison: Comparison, orders: int) -> None:
    """All of it, table after table."""
    names = " + ".join(comparison.traces)
    pooled = f", {len(comparison.traces)} traces pooled" if len(comparison.traces) > 1 else ""
    print(one_line(f"{names}{pooled}: {comparison.questions} questions × {orders} orders"))
    print(f"some branch is right: {words.sure(comparison.coverage)}; vote of all: {words.sure(comparison.majority)}\n")
    _methods(comparison)
    _reaches(comparison)
    _leads(comparison)
    _dominances(comparison)


def _methods(comparison: Comparison) -> None:
    heads = ("ACCURACY", "95 %", "TOKENS", "SEQUENTIAL", "PER RIGHT", "FRONT", "METHOD")
    rows = [
        (
            words.accuracy(point.accuracy),
            words.interval(point.accuracy),
            words.tokens(point.tokens.value),
            words.tokens(point.sequential.value),
            words.tokens(point.per_correct.value),
            "".join(mark for mark, on in zip("TS", point.front, strict=True) if on),
            one_line(point.entry.method.spec),
        )
        for point in sorted(comparison.points, key=lambda point: point.tokens.value)
    ]
    print_table(heads, rows)
    print("FRONT: T for total, S for sequential tokens; PER RIGHT: total tokens for each right answer\n")


def _reaches(comparison: Comparison) -> None:
    for target in dict.fromkeys(reach.target for reach in comparison.reaches):
        found = [reach for reach in comparison.reaches if reach.target == target]
        print(f"tokens for {100 * found[0].accuracy:.1f} % ({target})")
        rows = [(*map(words.reached, reach.costs), one_line(reach.curve)) for reach in found]
        print_table(("TOTAL", "SEQUENTIAL", "METHOD"), rows)
        print()


def _leads(comparison: Comparison) -> None:
    found = words.shown(comparison.leads)
    print(words.verdict(len(found), len(comparison.leads), "leads of one curve over another at equal cost"))
    if found:
        rows = [
            (
                words.gain(lead.gain),
                words.p_value(lead.p),
                words.NAMES[lead.cost],
                " to ".join(map(words.tokens, lead.between)),
                one_line(f"{lead.ahead}  >  {lead.behind}"),
            )
            for lead in found
        ]
        print_table(("POINTS", "P", "AT EQUAL", "TOKENS", "METHODS"), rows)
    print()


def _dominances(comparison: Comparison) -> None:
    found = comparison.dominances
    print(words.verdict(len(found), comparison.tests, "cases of one method more accurate and cheaper than another"))
    if found:
        rows = [
            (
                words.gain(one.gain),
                words.accuracy(one.saving),
                words.NAMES[one.cost],
                words.p_value(one.p),
                one_line(f"{one.winner.method.spec}  >  {one.loser.method.spec}"),
            )
            for one in found
        ]
        print_table(("POINTS", "SAVED", "TOKENS", "P", "METHODS"), rows)
    print()
