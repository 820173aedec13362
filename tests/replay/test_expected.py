"""The published figures, and those of the generated trace, without tolerance."""

from __future__ import annotations

import json
from typing import Any

import pytest
from worlds import GENERATED, QWEN, figures, recorded

from ponder.core.methods.controller import parse_controller
from ponder.replay.play.controllers import replay

# Zheng et al. 2026, arXiv 2602.03845, main table: thousands of sequential tokens.
SEQUENTIAL = {
    "self-consistency(n=64)": (32.7, 31.4, 29.3, 30.1),
    "esc(n=64,window=8)": (192.9, 170.4, 98.9, 84.7),
    "parallel-probe(n=64,stable=40,warmup=15,patience=7)": (20.8, 19.6, 19.2, 20.3),
}


def played(name: str, spec: str, **options: Any) -> Any:
    plan = parse_controller(spec)
    return replay(recorded(name), plan.controller.program, plan.arguments, **options)


@pytest.mark.parametrize(("name", "methods"), [(GENERATED, 12), *((name, 18) for name in QWEN)])
def test_accuracy_and_tokens_are_the_expected_ones(name: str, methods: int) -> None:
    expected = json.loads(figures(name).read_text())["results"][name]
    obtained = {}
    for spec in expected:
        run = played(name, spec)
        found = {
            "accuracy_pct": round(100 * run.accuracy, 2),
            "tokens_per_question": int(run.tokens.mean()),
            "sequential_tokens_per_question": int(run.sequential.mean()),
        }
        obtained[spec] = {figure: found[figure] for figure in expected[spec]}
    assert obtained == expected
    assert len(expected) == methods


@pytest.mark.parametrize("spec", SEQUENTIAL)
def test_sequential_tokens_are_the_published_ones(spec: str) -> None:
    obtained = tuple(round(float(played(name, spec).sequential.mean()) / 1000, 1) for name in QWEN)
    assert obtained == SEQUENTIAL[spec]


@pytest.mark.parametrize("name", [GENERATED, QWEN[2]])
def test_a_method_that_samples_one_by_one_has_only_sequential_tokens(name: str) -> None:
    run = played(name, "adaptive-consistency(n=64,threshold=0.95)")
    assert (run.sequential == run.tokens).all()


@pytest.mark.parametrize("name", [GENERATED, QWEN[0]])
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
def test_compiled_and_interpreted_play_the_same_episodes(spec: str, name: str) -> None:
    compiled, plain = (played(name, spec, orders=2, interpreted=flag) for flag in (False, True))
    for column in ("answers", "correct", "tokens", "sequential", "opened"):
        assert (getattr(compiled, column) == getattr(plain, column)).all(), column


@pytest.mark.parametrize("interpreted", [False, True])
@pytest.mark.parametrize("name", [GENERATED, QWEN[3]])
def test_threads_change_nothing(name: str, interpreted: bool) -> None:
    orders = 2 if interpreted else 20
    alone, together = (
        played(name, "cmc@1.0", orders=orders, threads=threads, interpreted=interpreted) for threads in (1, 3)
    )
    assert (alone.tokens == together.tokens).all()
    assert (alone.answers == together.answers).all()
