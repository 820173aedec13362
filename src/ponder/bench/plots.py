"""Accuracy over cost, drawn: one panel for each kind of token."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ponder.bench.bootstrap import COSTS, known
from ponder.bench.compare import Comparison, Point
from ponder.bench.compared_methods import REFERENCE
from ponder.bench.plot_labels import Label, write_labels
from ponder.core.errors import MissingCapability

__all__ = ["LIGHT", "Palette", "panel", "save"]

Palette = Mapping[str, str]

# The colours of Okabe and Ito (2008), which colour-blind people can tell apart; yellow is left out, being too faint.
LIGHT: Palette = {
    "ink": "#1a1a1a",
    "faint": "#8a8a8a",
    "line": "#e2e2e2",
    "front": "#ecdca6",
    "c0": "#0072b2",
    "c1": "#d55e00",
    "c2": "#009e73",
    "c3": "#cc79a7",
    "c4": "#e69f00",
    "c5": "#56b4e9",
    "c6": "#1a1a1a",
}
"""What colours are used for; c0, c1, ... are the methods that were asked for."""

COLOURS = 7
MARKERS = "oDsPX^v*"  # not as many as colours, so that no pair comes twice for long
CHEAP_MARKERS = "osv"

AXES = {"tokens": "total tokens a question", "sequential": "sequential tokens a question"}

SIZE = (6.0, 4.9)
"""Inches, of a panel."""

MOST_BARS = 12
"""With more methods, each curve that was asked for shows the interval of its best setting only."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "ponder",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
}


def save(comparison: Comparison, base: Path) -> None:
    """Both panels, as ``base.png`` and ``base.svg``.

    Raises:
        MissingCapability: matplotlib is not installed.
        OSError: a file cannot be written.
    """
    with _figure(LIGHT, len(COSTS)) as (figure, panels):
        for axes, cost in zip(panels, COSTS, strict=True):
            _draw(axes, comparison, cost, LIGHT)
        figure.suptitle(_title(comparison), x=0.01, ha="left", color=LIGHT["ink"])
        figure.savefig(base.with_name(f"{base.name}.png"), dpi=150, metadata={"Software": None})
        figure.savefig(base.with_name(f"{base.name}.svg"), metadata={"Date": None})


def panel(comparison: Comparison, cost: str, palette: Palette) -> str:
    """One panel as the text of an SVG file, without a background.

    Raises:
        MissingCapability: matplotlib is not installed.
    """
    with _figure(palette, 1) as (figure, panels):
        _draw(panels[0], comparison, cost, palette)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return written.getvalue()


@contextmanager
def _figure(palette: Palette, panels: int) -> Iterator[tuple[Any, Any]]:
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise MissingCapability("drawing needs matplotlib: pip install 'ponder[plots]'") from None
    from matplotlib.figure import Figure

    inks: dict[Any, Any] = dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), palette["ink"]
    )
    # A name in letters that the font does not have is drawn as boxes in the PNG, and is whole in the SVG.
    with matplotlib.rc_context({**STYLE, **inks}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(SIZE[0] * panels, SIZE[1]))
        width, height = figure.get_size_inches()
        figure.subplots_adjust(
            left=0.62 / width, right=1 - 2.2 / width, bottom=0.5 / height, top=1 - 0.4 / height, wspace=0.85
        )
        yield figure, figure.subplots(1, panels, squeeze=False)[0]


def _title(comparison: Comparison) -> str:
    what = f"{len(comparison.traces)} traces pooled" if len(comparison.traces) > 1 else comparison.name
    return f"{what} · {comparison.questions} questions"


@dataclass(frozen=True, slots=True)
class _Series:
    """One curve and how it looks; points are ``(cost, accuracy in %)``, the cheapest first."""

    label: str
    points: Sequence[tuple[float, float]]
    best: Sequence[tuple[float, float]]
    """Its own Pareto front."""
    bars: Sequence[tuple[float, float, float]]
    """Intervals: cost, lower and upper end."""
    look: Mapping[str, Any]
    line: str


def _draw(axes: Any, comparison: Comparison, cost: str, palette: Palette) -> None:
    series = list(_series(comparison, cost, palette))
    _frame(axes, [x for one in series for x, _ in one.points], cost, palette)
    front = sorted(_at(point, cost) for point in comparison.points if point.front[list(COSTS).index(cost)])
    axes.plot(*zip(*front, strict=True), color=palette["front"], linewidth=7, solid_capstyle="round", zorder=1)
    for one in series:
        colour = one.look["color"]
        axes.plot(*zip(*one.best, strict=True), linestyle=one.line, linewidth=1.2, color=colour, zorder=2)
        axes.plot(*zip(*one.points, strict=True), linestyle="", markersize=4, zorder=3, **one.look)
        for x, low, high in one.bars:
            axes.plot([x, x], [low, high], linewidth=0.8, alpha=0.6, color=colour, zorder=2)
    labels = [Label(one.label, one.best[-1][1], one.look, one.best[-1]) for one in series]
    ceilings = (("some branch right", comparison.coverage), ("vote of all", comparison.majority))
    for words, ceiling in ceilings:
        y = 100 * ceiling.value
        axes.axhline(y, color=palette["faint"], linewidth=0.8, linestyle=(0, (6, 3)), zorder=1)
        look = {"color": palette["faint"], "marker": "_"}
        labels.append(Label(f"{words} {y:.1f} %", y, look))
    write_labels(axes, labels, palette["ink"])


def _series(comparison: Comparison, cost: str, palette: Palette) -> Iterator[_Series]:
    short = Counter(map(_short, {point.entry.curve for point in comparison.points}))
    dear, cheap = count(), count()
    for curve in dict.fromkeys(point.entry.curve for point in comparison.points):
        points = sorted((p for p in comparison.points if p.entry.curve == curve), key=lambda p: _at(p, cost))
        best = [p for i, p in enumerate(points) if all(p.accuracy.value > q.accuracy.value for q in points[:i])]
        # The intervals of a curve's settings are much alike, and all of them together would hide it.
        sure = points if len(comparison.points) <= MOST_BARS else best[-1:]
        if points[0].entry.cheap:
            marker, line = CHEAP_MARKERS[next(cheap) % len(CHEAP_MARKERS)], ":"
            look = {"color": palette["faint"], "marker": marker, "markerfacecolor": "none"}
            sure = sure if curve == REFERENCE else []
        else:
            i = next(dear)
            look = {"color": palette[f"c{i % COLOURS}"], "marker": MARKERS[i % len(MARKERS)]}
            line = "-" if i < COLOURS else "--"
        yield _Series(
            label=_short(curve) if short[_short(curve)] == 1 else curve,
            points=[_at(p, cost) for p in points],
            best=[_at(p, cost) for p in best],
            bars=[(_at(p, cost)[0], 100 * p.accuracy.low, 100 * p.accuracy.high) for p in sure if known(p.accuracy)],
            look=look,
            line=line,
        )


def _short(curve: str) -> str:
    """Without a sweep's range."""
    return re.sub(r"@[^(]*:[^(]*", "", curve)


def _at(point: Point, cost: str) -> tuple[float, float]:
    return getattr(point, cost).value, 100 * point.accuracy.value


def _frame(axes: Any, costs: Sequence[float], cost: str, palette: Palette) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    # A scale of less than some factors of ten has room, and need, for more marks.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if max(costs) < 300 * min(costs) else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(AXES[cost])
    axes.set_ylabel("accuracy, %")
    axes.grid(color=palette["line"], linewidth=0.6)
    axes.set_axisbelow(True)


def _thousands(tokens: float) -> str:
    """``500``, ``20k``, ``1M``."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{unit}"
    return f"{tokens:g}"
