"""A comparison as plain data, for JSON."""

from __future__ import annotations

import math
from typing import Any

from ponder.bench.bootstrap import COSTS, Estimate
from ponder.bench.compare import Comparison, Point

__all__ = ["as_dict"]


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Accuracies and shares as numbers in [0, 1]; what is unknown, or never reached, is None."""
    return {
        "name": comparison.name,
        "traces": list(comparison.traces),
        "questions": comparison.questions,
        "coverage": _estimate(comparison.coverage),
        "majority": _estimate(comparison.majority),
        "methods": [_point(point) for point in comparison.points],
        "to_reach": [
            {
                "curve": reach.curve,
                "target": reach.target,
                "accuracy": reach.accuracy,
                "reached_share": reach.reached,
                **{cost: _estimate(one) for cost, one in zip(COSTS, reach.costs, strict=True)},
            }
            for reach in comparison.reaches
        ],
        "leads": [
            {
                "ahead": lead.ahead,
                "behind": lead.behind,
                "cost": lead.cost,
                "between": list(lead.between),
                "gain": _estimate(lead.gain),
                "p_holm": lead.p,
            }
            for lead in comparison.leads
        ],
        "dominances": [
            {
                "winner": one.winner.method.spec,
                "loser": one.loser.method.spec,
                "cost": one.cost,
                "gain": _estimate(one.gain),
                "saving": _estimate(one.saving),
                "p_holm": one.p,
            }
            for one in comparison.dominances
        ],
        "dominance_tests": comparison.tests,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "method": point.entry.method.spec,
        "settings": dict(point.entry.method.settings),
        "curve": point.entry.curve,
        "asked": point.entry.asked,
        "accuracy": _estimate(point.accuracy),
        "tokens": _estimate(point.tokens),
        "sequential": _estimate(point.sequential),
        "tokens_per_correct": _estimate(point.per_correct),
        "on_front": dict(zip(COSTS, point.front, strict=True)),
        "on_front_share": dict(zip(COSTS, point.front_share, strict=True)),
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in estimate._asdict().items()}
