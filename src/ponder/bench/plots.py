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

from ponder.bench.bootstrap import COSTS
from ponder.bench.compare import Comparison, Point
from ponder.core.errors import MissingCapability

__all__ = ["LIGHT", "Palette", "panel", "save"]

Palette = Mapping[str, str]

# The colours of Okabe and Ito (2008), which colour-blind people can tell apart; black and yellow are left out.
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
}
"""What colours are used for; c0, c1, ... are the methods that were asked for."""

COLOURS = 6
MARKERS = "oDsPX^v"
CHEAP_MARKERS = "osv"

AXES = {"tokens": "total tokens a question", "sequential": "sequential tokens a question"}

SIZE = (6.0, 4.3)
"""Inches, of a panel."""

MOST_LABELS = 18
LONGEST_LABEL = 26
LABEL_HEIGHT = 0.155
"""Inches."""

MOST_BARS = 12
"""With more methods only those on the front show their intervals."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
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
        yield figure, figure.subplots(1, panels, squeeze=False)[0]


def _title(comparison: Comparison) -> str:
    what = f"{len(comparison.traces)} traces pooled" if len(comparison.traces) > 1 else comparison.name
    return f"{what} · {comparison.questions} questions"


@dataclass(frozen=True, slots=True)
class _Series:
    """One curve: its settings, the cheapest first, and how it looks."""

    label: str
    points: Sequence[Point]
    colour: str
    marker: str
    cheap: bool


def _draw(axes: Any, comparison: Comparison, cost: str, palette: Palette) -> None:
    series = list(_series(comparison, cost, palette))
    _frame(axes, comparison, cost, palette)
    front = sorted((p for p in comparison.points if p.front[list(COSTS).index(cost)]), key=lambda p: _at(p, cost))
    axes.plot(*_columns(front, cost), color=palette["front"], linewidth=7, solid_capstyle="round", zorder=1)
    bars = {id(p) for p in front} if len(comparison.points) > MOST_BARS else {id(p) for p in comparison.points}
    for one in series:
        _curve(axes, one, cost, bars)
    _labels(axes, series, cost, palette)


def _series(comparison: Comparison, cost: str, palette: Palette) -> Iterator[_Series]:
    curves: dict[str, list[Point]] = {}
    for point in sorted(comparison.points, key=lambda p: _at(p, cost)):
        curves.setdefault(point.entry.curve, []).append(point)
    short = Counter(map(_short, curves))
    dear, cheap = count(), count()
    for curve in dict.fromkeys(point.entry.curve for point in comparison.points):
        points = curves[curve]
        label = _short(curve) if short[_short(curve)] == 1 else curve
        label = label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
        if points[0].entry.cheap:
            yield _Series(label, points, palette["faint"], CHEAP_MARKERS[next(cheap) % len(CHEAP_MARKERS)], cheap=True)
        else:
            i = next(dear)
            yield _Series(label, points, palette[f"c{i % COLOURS}"], MARKERS[i % len(MARKERS)], cheap=False)


def _short(curve: str) -> str:
    """Without a sweep's range."""
    return re.sub(r"@[^(]*:[^(]*", "", curve)


def _at(point: Point, cost: str) -> tuple[float, float]:
    return getattr(point, cost).value, 100 * point.accuracy.value


def _columns(points: Sequence[Point], cost: str) -> tuple[list[float], list[float]]:
    return [_at(point, cost)[0] for point in points], [_at(point, cost)[1] for point in points]


def _curve(axes: Any, series: _Series, cost: str, bars: set[int]) -> None:
    """All settings as dots, the best of them as a line; the intervals of some."""
    best, line = -1.0, []
    for point in series.points:
        if point.accuracy.value > best:
            best = point.accuracy.value
            line.append(point)
    style = {"color": series.colour, "zorder": 2 if series.cheap else 3}
    axes.plot(*_columns(line, cost), linewidth=1.2, linestyle=":" if series.cheap else "-", **style)
    face = {"markerfacecolor": "none"} if series.cheap else {}
    size = 4.0 if len(series.points) > 1 else 6.0
    axes.plot(*_columns(series.points, cost), linestyle="", marker=series.marker, markersize=size, **style, **face)
    for point in series.points:
        low, high = 100 * point.accuracy.low, 100 * point.accuracy.high
        if id(point) in bars and low == low:  # known
            axes.plot([_at(point, cost)[0]] * 2, [low, high], linewidth=0.7, alpha=0.45, **style)


def _frame(axes: Any, comparison: Comparison, cost: str, palette: Palette) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    costs = [_at(point, cost)[0] for point in comparison.points]
    # A scale of less than a factor of ten has room, and need, for more marks.
    subs = (1.0, 2.0, 5.0) if max(costs) < 300 * min(costs) else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(AXES[cost])
    axes.set_ylabel("accuracy, %")
    axes.grid(color=palette["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    for ceiling, words in (
        (comparison.coverage, "some branch is right"),
        (comparison.majority, "vote of all branches"),
    ):
        y = 100 * ceiling.value
        axes.axhline(y, color=palette["faint"], linewidth=0.8, linestyle=(0, (6, 3)), zorder=1)
        axes.annotate(
            f"{words}: {y:.1f} %",
            (0, y),
            (4, 2),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            color=palette["faint"],
            fontsize=7.5,
        )
    width, height = axes.figure.get_size_inches()
    axes.figure.subplots_adjust(
        left=0.62 / width, right=1 - 1.85 / width, bottom=0.5 / height, top=1 - 0.35 / height, wspace=0.72
    )


def _thousands(tokens: float) -> str:
    """``500``, ``20k``, ``1M``."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{unit}"
    return f"{tokens:g}"


def _labels(axes: Any, series: Sequence[_Series], cost: str, palette: Palette) -> None:
    """The name of each curve beside its end, moved apart where they would overlap."""
    comparison_front = list(COSTS).index(cost)
    shown = list(series)
    if len(shown) > MOST_LABELS:  # those of the front, and the cheap ones
        shown = [s for s in shown if s.cheap or any(p.front[comparison_front] for p in s.points)][-MOST_LABELS:]
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * LABEL_HEIGHT / (axes.get_position().height * axes.figure.get_size_inches()[1])
    shown.sort(key=lambda s: _at(s.points[-1], cost)[1])
    places = _apart([_at(s.points[-1], cost)[1] for s in shown], gap, bottom, top)
    beside = axes.get_yaxis_transform()
    for one, y in zip(shown, places, strict=True):
        x_end, y_end = _at(one.points[-1], cost)
        axes.annotate(
            "",
            (x_end, y_end),
            (1.03, y),
            textcoords=beside,
            arrowprops={
                "arrowstyle": "-",
                "color": one.colour,
                "linewidth": 0.5,
                "alpha": 0.6,
                "shrinkA": 0,
                "shrinkB": 3,
            },
            annotation_clip=False,
        )
        face = {"markerfacecolor": "none"} if one.cheap else {}
        axes.plot(
            [1.05], [y], marker=one.marker, color=one.colour, markersize=5, transform=beside, clip_on=False, **face
        )
        axes.text(1.08, y, one.label, transform=beside, va="center", color=palette["ink"], fontsize=8.5)
    axes.set_ylim(bottom, top)


def _apart(wanted: Sequence[float], gap: float, bottom: float, top: float) -> list[float]:
    """Places near those wanted, ascending, at least `gap` apart, and within bounds if there is room for that."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + gap) if places else max(y, bottom))
    ceiling = top
    for i in reversed(range(len(places))):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return places
