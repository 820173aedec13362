"""Comparisons as one HTML page that needs nothing else: no script, no font, no image from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from ponder.bench import format as words
from ponder.bench.bootstrap import COSTS
from ponder.bench.compare import Comparison
from ponder.bench.plots import LIGHT, panel

__all__ = ["page"]

# Colours that stand for the page's own, which depend on where it is read.
PLACES = {name: f"#fe01{i:02x}" for i, name in enumerate(LIGHT)}

Row = tuple[str, Sequence[str]]
"""The class of a row, and its cells."""

READING = (
    "A bar or an interval holds the truth about questions like these 19 times in 20: a paired bootstrap over questions "
    "(Efron 1979), expanded for their number (Hesterberg 2015). Two intervals that overlap do not mean that two "
    "methods are alike, because questions are hard or easy for all methods together: the intervals of differences are "
    "narrower. The pale band is the Pareto front; the share in the last column says in how many of the resamples a "
    "method is on it. A curve is the settings of one method, and between two of them the mixture of both; a curve with "
    "many settings is helped a little by luck. Grey: the cheap baselines."
)


def page(comparisons: Sequence[Comparison], orders: int) -> str:
    """The whole page, the first comparison first.

    Raises:
        MissingCapability: matplotlib is not installed.
    """
    sections = [line for number, one in enumerate(comparisons) for line in _section(one, number)]
    first = comparisons[0]
    about = (
        f"{len(first.points)} methods replayed on {escape(', '.join(first.traces))}: {first.questions} different "
        f"questions, {orders:,} orders of the recorded branches."
    )
    style = files("ponder.bench").joinpath("style.css").read_text("utf-8")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">""",
            f"<title>Methods compared</title>\n<style>\n{style}</style>\n</head>\n<body>",
            "<h1>Accuracy against tokens</h1>",
            f"<p>{about}</p>",
            f'<p class="note">{READING}</p>',
            *sections,
            "</body>\n</html>\n",
        ]
    )


def _section(comparison: Comparison, number: int) -> Iterator[str]:
    title = comparison.name if len(comparison.traces) == 1 else f"{len(comparison.traces)} traces pooled"
    yield f'<section>\n<h2>{escape(title)}</h2>\n<div class="figures">'
    for cost in COSTS:
        what = f"Accuracy against {words.NAMES[cost]} tokens"
        drawing = _inline(panel(comparison, cost, PLACES), f"f{number}{cost[0]}", what)
        yield f"<figure>{drawing}<figcaption>{what} a question.</figcaption></figure>"
    yield "</div>"
    if len(comparison.traces) > 1:
        yield (
            '<p class="note">Every trace counts the same. A question that several traces share is resampled in all of '
            "them at once; others are resampled within their own trace.</p>"
        )
    yield (
        f"<p>Some branch is right: {words.sure(comparison.coverage)}. "
        f"The vote over all branches: {words.sure(comparison.majority)}.</p>"
    )
    yield from _methods(comparison)
    yield from _reaches(comparison)
    yield from _leads(comparison)
    yield from _dominances(comparison)
    yield "</section>"


def _methods(comparison: Comparison) -> Iterator[str]:
    heads = ("method", "accuracy", "interval", "total tokens", "sequential", "tokens per right answer", "on the front")
    rows = [
        (
            "asked" if point.entry.asked else "",
            (
                point.entry.method.spec,
                words.accuracy(point.accuracy),
                words.interval(point.accuracy),
                words.tokens(point.tokens.value),
                words.tokens(point.sequential.value),
                words.tokens(point.per_correct.value),
                words.front(point),
            ),
        )
        for point in sorted(comparison.points, key=lambda point: point.tokens.value)
    ]
    yield "<h3>All methods, the cheapest first</h3>"
    yield from _table(heads, rows)


def _reaches(comparison: Comparison) -> Iterator[str]:
    heads = ("curve", "total tokens", "sequential tokens", "reached in")
    for target in dict.fromkeys(reach.target for reach in comparison.reaches):
        found = [reach for reach in comparison.reaches if reach.target == target]
        yield f"<h3>Tokens for an accuracy of {100 * found[0].accuracy:.1f} % ({escape(target)})</h3>"
        rows = [
            ("", (reach.curve, *map(words.reached, reach.costs), f"{100 * reach.reached:.0f} % of resamples"))
            for reach in found
        ]
        yield from _table(heads, rows)


def _leads(comparison: Comparison) -> Iterator[str]:
    found = words.shown(comparison.leads)
    yield "<h3>Ahead at equal cost</h3>"
    yield f"<p>{words.verdict(len(found), len(comparison.leads), 'leads of one curve over another')}</p>"
    heads = ("ahead", "behind", "at equal", "from", "to", "points of accuracy", "p")
    rows = [
        (
            "",
            (
                lead.ahead,
                lead.behind,
                f"{words.NAMES[lead.cost]} tokens",
                *map(words.tokens, lead.between),
                words.gain(lead.gain),
                words.p_value(lead.p),
            ),
        )
        for lead in found
    ]
    yield from _table(heads, rows)


def _dominances(comparison: Comparison) -> Iterator[str]:
    yield "<h3>Both more accurate and cheaper</h3>"
    yield f"<p>{words.verdict(len(comparison.dominances), comparison.tests, 'cases of one method over another')}</p>"
    heads = ("method", "dominates", "in tokens", "points of accuracy", "tokens saved, %", "p")
    rows = [
        (
            "",
            (
                one.winner.method.spec,
                one.loser.method.spec,
                words.NAMES[one.cost],
                words.gain(one.gain),
                f"{100 * one.saving.value:.1f} ({words.interval(one.saving)})",
                words.p_value(one.p),
            ),
        )
        for one in comparison.dominances
    ]
    yield from _table(heads, rows)


def _table(heads: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    lines = [f"<tr{f' class={name}' if name else ''}>{''.join(map(_cell, cells))}</tr>" for name, cells in rows]
    if lines:
        head = "".join(f"<th>{escape(one)}</th>" for one in heads)
        yield f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>'
        yield from lines
        yield "</tbody>\n</table></div>"


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _inline(svg: str, prefix: str, what: str) -> str:
    """A drawing as a part of the page: in its colours, with ids of its own, and no foreign matter."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', rf'<svg role="img" aria-label="{what}" \1', svg, count=1)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    for name, place in PLACES.items():
        svg = svg.replace(place, f"var(--{name})")
    return svg
