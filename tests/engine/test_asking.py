"""What `solve` takes, and what it refuses before anything is sent."""

from __future__ import annotations

import pytest
from rig import Model, said

import ponder
import ponder.strategies
from ponder.core.backend import Capability, Progress, Request
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import InvalidProblem, MissingCapability
from ponder.core.methods import registry
from ponder.core.methods.registry import Strategy, strategy
from ponder.core.problem import Problem


def model(*lacking: Capability) -> Model:
    async def play(request: Request, progress: Progress) -> Completion:
        return said(request, *["Answer: 4"] * request.n)

    return Model(play, capabilities=frozenset(Capability) - set(lacking))


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Strategy:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    @strategy("pairs")
    async def pairs(s: ponder.Session, n: ponder.Count = 2) -> ponder.Answer:
        return ponder.vote(await s.extend(await s.sample(n)))

    return pairs


def test_a_strategy_is_taken_as_it_is_made_or_with_options(pairs: Strategy) -> None:
    assert len(ponder.solve("What is 2 + 2?", strategy=pairs, model=model()).branches) == 2
    assert len(ponder.solve("What is 2 + 2?", strategy=pairs.plan(n=3), model=model()).branches) == 3


def test_the_decorator_says_that_it_needs_its_parentheses() -> None:
    async def bare(s: ponder.Session) -> ponder.Answer:
        return ponder.vote([])

    with pytest.raises(TypeError, match="needs its parentheses"):
        strategy(bare)  # type: ignore[arg-type]


def test_reasoning_is_bounded_where_the_model_can() -> None:
    able = model()
    assert ponder.solve("What is 2 + 2?", strategy="single", model=able, thinking=50).value == "4"
    assert [request.thinking for request in able.requests] == [50]
    unable = model(Capability.THINKING_BUDGET)
    with pytest.raises(MissingCapability, match="cannot limit hidden reasoning"):
        ponder.solve("What is 2 + 2?", strategy="single", model=unable, thinking=50)
    assert unable.requests == []


@pytest.mark.parametrize(
    ("verifier", "reference"), [("math", None), ("exact", None), ("choice", None), ("choice", "4")]
)
def test_a_verifier_that_cannot_judge_is_refused_before_anything_is_sent(verifier: str, reference: str | None) -> None:
    asked = model()
    with pytest.raises(InvalidProblem, match="reference answer"):
        ponder.solve(Problem.of("?", reference=reference), strategy="best-of-n", verifier=verifier, model=asked)
    assert asked.requests == []


def test_where_answers_were_left_unscored_the_confidence_is_not_known() -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        if request.logprobs:  # p-yes
            return Completion((Choice("Yes", 1, "length", first={"Yes": -0.1}),), Usage(1, 0, 1))
        return said(request, *["Answer: 4", "Answer: 5", "Answer: 6"])

    def ask(calls: int) -> ponder.Answer:
        return ponder.solve(
            "?", strategy="best-of-n(n=3)", verifier="p-yes", model=Model(play), budget=f"calls={calls}"
        )

    whole, part = ask(calls=4), ask(calls=3)
    assert whole.confidence == pytest.approx(1 / 3)
    assert sorted(branch.score is None for branch in part.branches) == [False, False, True]
    assert (part.value, part.confidence) == ("4", None)
