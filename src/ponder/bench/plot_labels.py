"""Names beside the curves of a figure, moved apart where they would overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Label", "write_labels"]

HEIGHT = 0.175
"""Inches that a label takes."""

LONGEST = 26


@dataclass(frozen=True, slots=True)
class Label:
    """What to write beside the height `y` of an axes; `end` is the point of the curve that it belongs to."""

    text: str
    y: float
    look: Mapping[str, Any]
    end: tuple[float, float] | None = None


def write_labels(axes: Any, labels: Sequence[Label], ink: str) -> None:
    """To the right of the axes, each with its marker and a line to its curve; as many as there is room for."""
    bottom, top = axes.get_ylim()
    height = axes.get_position().height * axes.figure.get_size_inches()[1]
    gap = (top - bottom) * HEIGHT / height
    shown = sorted(labels[-int(height / HEIGHT) :], key=lambda label: label.y)
    beside = axes.get_yaxis_transform()
    for label, y in zip(shown, _apart([label.y for label in shown], gap, bottom, top), strict=True):
        if label.end:
            line = {"arrowstyle": "-", "color": label.look["color"], "linewidth": 0.5, "alpha": 0.6, "shrinkA": 0}
            axes.annotate("", label.end, (1.03, y), textcoords=beside, arrowprops=line, annotation_clip=False)
        axes.plot([1.05], [y], markersize=5, transform=beside, clip_on=False, **label.look)
        text = label.text if len(label.text) <= LONGEST else f"{label.text[: LONGEST - 1]}…"
        axes.text(1.08, y, text, transform=beside, va="center", color=ink, fontsize=9.5)
    axes.set_ylim(bottom, top)


def _apart(wanted: Sequence[float], gap: float, bottom: float, top: float) -> list[float]:
    """Places near those wanted, ascending, at least `gap` apart, and within bounds if there is room for that."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + gap if places else bottom))
    for i in reversed(range(len(places))):
        places[i] = min(places[i], places[i + 1] - gap if i + 1 < len(places) else top)
    return places
