"""The published figures, without tolerance."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from worlds import AIME, needs_recorded

from ponder.core.controller import parse_controller
from ponder.replay.evaluate import replay
from ponder.replay.importers.autotts import read_autotts
from ponder.replay.trace import Trace

MODELS = ("Qwen3-0.6B", "Qwen3-1.7B", "Qwen3-4B", "Qwen3-8B")

# Zheng et al. 2026, arXiv 2602.03845, main table: thousands of sequential tokens.
SEQUENTIAL = {
    "self-consistency(n=64)": (32.7, 31.4, 29.3, 30.1),
    "esc(n=64,window=8)": (192.9, 170.4, 98.9, 84.7),
    "parallel-probe(n=64,stable=40,warmup=15,patience=7)": (20.8, 19.6, 19.2, 20.3),
}


@cache
def recorded(model: str) -> Trace:
    return read_autotts(AIME / f"qwen3/{model}.aime24.json.zst")


def played(model: str, spec: str, **options: Any) -> Any:
    plan = parse_controller(spec)
    return replay(recorded(model), plan.controller.program, plan.arguments, **options)


@needs_recorded
@pytest.mark.parametrize("model", MODELS)
def test_accuracy_and_tokens_are_the_published_ones(model: str) -> None:
    expected = json.loads((AIME / "expected-aime24.json").read_text())["results"][f"{model}/aime24"]
    obtained = {}
    for spec in expected:
        run = played(model, spec)
        obtained[spec] = {
            "accuracy_pct": round(100 * run.accuracy, 2),
            "tokens_per_question": int(run.tokens.mean()),
        }
    assert obtained == expected
    assert len(expected) == 18


@needs_recorded
@pytest.mark.parametrize("spec", SEQUENTIAL)
def test_sequential_tokens_are_the_published_ones(spec: str) -> None:
    obtained = tuple(round(float(played(model, spec).sequential.mean()) / 1000, 1) for model in MODELS)
    assert obtained == SEQUENTIAL[spec]


@needs_recorded
def test_a_method_that_samples_one_by_one_has_only_sequential_tokens() -> None:
    run = played("Qwen3-4B", "adaptive-consistency(n=64,threshold=0.95)")
    assert (run.sequential == run.tokens).all()


@needs_recorded
@pytest.mark.parametrize(
    "spec",
    [
        "self-consistency(n=32)",
        "adaptive-consistency@0.7",
        "esc(n=64,window=8)",
        "lead(m=3)",
        "short-m-at-k(m=8,k=32)",
        "parallel-probe",
        "cmc@0.5",
        "cmc@0.5(single_update=true)",
    ],
)
def test_compiled_and_interpreted_play_the_same_episodes(spec: str) -> None:
    compiled, plain = (played("Qwen3-0.6B", spec, orders=2, interpreted=flag) for flag in (False, True))
    for column in ("answers", "correct", "tokens", "sequential", "opened"):
        assert (getattr(compiled, column) == getattr(plain, column)).all(), column


@needs_recorded
def test_threads_change_nothing() -> None:
    alone, together = (played("Qwen3-8B", "cmc@1.0", orders=20, threads=threads) for threads in (1, 2))
    assert (alone.tokens == together.tokens).all()
    assert (alone.answers == together.answers).all()
