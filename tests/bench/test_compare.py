"""What a comparison says of methods whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ponder.controllers  # noqa: F401 - registers them
from ponder.bench.bootstrap import Estimate, known
from ponder.bench.compare import Comparison, compare
from ponder.bench.compared_methods import Entry, entries
from ponder.bench.measure import Measured, rows

QUESTIONS = 40
BRANCHES = 4
HARD = np.random.default_rng(0).uniform(0.2, 0.8, QUESTIONS)


def trace(name: str, chosen: list[Entry], played: dict[str, tuple[Any, float]], first: int = 0) -> Measured:
    """Accuracies and tokens by spec; of all others, the chance of HARD and many tokens."""
    columns = [played.get(entry.method.spec, (HARD, 5000.0 + m)) for m, entry in enumerate(chosen)]
    correct = np.stack([np.broadcast_to(accuracy, QUESTIONS) for accuracy, _ in columns], axis=1)
    tokens = np.broadcast_to([cost for _, cost in columns], correct.shape)
    questions = tuple((f"question {first + q}", 0) for q in range(QUESTIONS))
    ceilings = np.stack([np.ones(QUESTIONS), HARD], axis=1)
    return Measured(name, questions, np.stack([correct, tokens, tokens / 2]), ceilings)


def told(comparison: Comparison, spec: str) -> Any:
    return next(point for point in comparison.points if point.entry.method.spec == spec)


def test_a_method_that_is_better_everywhere_dominates_and_is_alone_on_the_front() -> None:
    chosen = entries(["lead(n=4)"], BRANCHES)
    comparison = compare([trace("one", chosen, {"lead(n=4)": (HARD + 0.1, 100.0)})], chosen)
    assert [point.entry.method.spec for point in comparison.points if any(point.front)] == ["lead(n=4)"]
    assert told(comparison, "lead(n=4)").front_share == (1, 1)
    losers = {one.loser.method.spec for one in comparison.dominances if one.cost == "tokens"}
    assert losers == {entry.method.spec for entry in chosen if entry.cheap}
    best = comparison.dominances[0]
    assert best.winner.method.spec == "lead(n=4)"
    assert best.gain.value == pytest.approx(0.1)
    assert best.saving.value == pytest.approx(0.98, abs=0.001)
    assert best.p < 0.01
    assert comparison.tests == 2 * 2 * len(losers)


def test_methods_that_do_not_differ_are_not_told_apart() -> None:
    chosen = entries(["lead(n=4)", "cmc@0:1:0.5"], BRANCHES)
    noise = np.random.default_rng(1)
    played = {
        entry.method.spec: (HARD + noise.normal(0, 0.05, QUESTIONS), float(noise.uniform(100, 200))) for entry in chosen
    }
    comparison = compare([trace("one", chosen, played)], chosen)
    assert comparison.tests > 0
    assert comparison.dominances == ()
    assert [lead for lead in comparison.leads if lead.p < 0.05] == []


def test_a_curve_above_another_is_ahead_by_their_distance() -> None:
    chosen = entries(["cmc@0:1:0.5"], BRANCHES)
    above = HARD + np.random.default_rng(2).permutation(np.linspace(0, 0.1, QUESTIONS))
    played = {f"cmc@{effort}": (above + rise, cost) for effort, rise, cost in
              (("0", 0.0, 100.0), ("0.5", 0.1, 400.0), ("1", 0.2, 700.0))}  # fmt: skip
    played |= {f"self-consistency(n={n})": (HARD + rise, cost) for n, rise, cost in
               ((1, 0.0, 100.0), (2, 0.1, 400.0), (4, 0.2, 700.0))}  # fmt: skip
    comparison = compare([trace("one", chosen, played)], chosen)
    lead = next(one for one in comparison.leads if one.behind == "self-consistency(n)" and one.cost == "tokens")
    assert lead.ahead == "cmc@0:1:0.5"
    assert lead.between == (100, 700)
    assert lead.gain.value == pytest.approx(0.05)
    assert lead.p < 0.05


def test_what_the_accuracy_of_plain_voting_costs() -> None:
    chosen = entries(["cmc@0:1:1"], BRANCHES)
    played = {"cmc@0": (HARD, 100.0), "cmc@1": (HARD + 0.2, 300.0)}
    played |= {"self-consistency(n=4)": (HARD + 0.1, 900.0)}
    comparison = compare([trace("one", chosen, played)], chosen, [float(HARD.mean()) + 0.15, 0.99])
    costs = {(reach.target, reach.curve): reach for reach in comparison.reaches}
    assert costs["as self-consistency(n=4)", "cmc@0:1:1"].costs[0].value == pytest.approx(200)
    assert costs["as self-consistency(n=4)", "self-consistency(n)"].costs[0].value == pytest.approx(900)
    never = costs["99 %", "cmc@0:1:1"]
    assert never.costs[0].value == np.inf
    assert never.reached == 0
    assert costs[f"{100 * HARD.mean() + 15:g} %", "cmc@0:1:1"].costs[0].value == pytest.approx(250)


def test_cost_per_right_answer() -> None:
    chosen = entries([], BRANCHES)
    comparison = compare([trace("one", chosen, {"self-consistency(n=1)": (0.25, 100.0)})], chosen)
    assert told(comparison, "self-consistency(n=1)").per_correct.value == pytest.approx(400)
    nothing = compare([trace("one", chosen, {"self-consistency(n=1)": (0.0, 100.0)})], chosen)
    assert told(nothing, "self-consistency(n=1)").per_correct.value == np.inf


def test_models_that_share_questions_are_resampled_together() -> None:
    chosen = entries([], BRANCHES)
    one = trace("one", chosen, {})
    same, other = trace("two", chosen, {}), trace("two", chosen, {}, first=QUESTIONS)
    width = {}
    for name, scope in {"one": [one], "same": [one, same], "other": [one, other]}.items():
        comparison = compare(scope, chosen)
        accuracy = told(comparison, "self-consistency(n=1)").accuracy
        assert accuracy.value == pytest.approx(HARD.mean())
        width[name] = accuracy.high - accuracy.low
    assert width["same"] == pytest.approx(width["one"])
    assert width["other"] == pytest.approx(width["one"] / 2**0.5, rel=0.1)


def test_every_trace_counts_the_same_however_many_questions_it_has() -> None:
    chosen = entries([], BRANCHES)
    small, large = trace("small", chosen, {}), trace("large", chosen, {})
    small = Measured("small", small.questions[:4], 0 * small.values[:, :4], small.ceilings[:4])
    table = rows([small, large])
    assert table.strata == (4, QUESTIONS - 4)
    assert table.values[0, :, 0].sum() == pytest.approx(HARD.mean() / 2)


def test_one_question_leaves_every_interval_unknown() -> None:
    chosen = entries(["lead(n=4)"], BRANCHES)
    whole = trace("one", chosen, {})
    single = Measured("one", whole.questions[:1], whole.values[:, :1], whole.ceilings[:1])
    comparison = compare([single], chosen, [0.1])
    estimates: list[Estimate] = [comparison.coverage, comparison.majority]
    for point in comparison.points:
        estimates += [point.accuracy, point.tokens, point.sequential, point.per_correct]
    estimates += [cost for reach in comparison.reaches for cost in reach.costs]
    assert not any(map(known, estimates))
    assert comparison.dominances == ()
    assert {lead.p for lead in comparison.leads} == {1}


def test_cheap_baselines_are_always_there() -> None:
    specs = {entry.method.spec: entry for entry in entries([], 8)}
    assert set(specs) == {
        "self-consistency(n=1)", "self-consistency(n=2)", "self-consistency(n=4)", "self-consistency(n=8)",
        "adaptive-consistency(n=4,threshold=0.95)", "adaptive-consistency(n=8,threshold=0.95)",
        "short-m-at-k(m=1,k=2)", "short-m-at-k(m=2,k=4)", "short-m-at-k(m=4,k=8)",
    }  # fmt: skip
    assert not any(entry.asked for entry in specs.values())


def test_a_sweep_is_a_curve_and_a_baseline_that_was_asked_for_is_not_there_twice() -> None:
    chosen = entries(["lead(m=2)", "self-consistency(n=2)", "cmc@0:1:0.5"], 8, sweep=False)
    assert [entry.method.spec for entry in chosen if entry.asked] == [
        "lead(m=2)", "cmc@0", "cmc@0.5", "cmc@1", "self-consistency(n=2)",
    ]  # fmt: skip
    swept = entries(["lead(m=2)", "cmc@0:1:0.5"], 8, sweep=True)
    assert sum(entry.curve == "lead@0:1:0.1(m=2)" for entry in swept) == 11
    assert sum(entry.curve == "cmc@0:1:0.5" for entry in swept) == 3
