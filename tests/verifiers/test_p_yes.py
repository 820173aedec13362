"""The generative verifier: what it asks, and how it reads the reply."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from ponder.core import completion
from ponder.core.backend import Capability, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion, Usage
from ponder.core.errors import InvalidOption
from ponder.core.problem import Problem
from ponder.verifiers.p_yes import PYes, p_yes

pytestmark = pytest.mark.anyio

PROBLEM = Problem.of("What is 17 + 25?", reference="42")
BRANCH = Branch(id="1", text="17 + 25 = 42, so the sum is 42.\nAnswer: 42", answer="42", ending="stop")


class Recorder:
    """A model that writes checks and gives verdicts from a list, and keeps what it was asked."""

    def __init__(self, *verdicts: Mapping[str, float]) -> None:
        self.requests: list[Request] = []
        self._verdicts = list(verdicts)

    async def __call__(self, request: Request) -> Completion:
        self.requests.append(request)
        if not request.logprobs:
            checks = tuple(completion.Choice(f"check {index}", 2, "stop") for index in range(request.n))
            return Completion(checks, Usage(prompt=10, output=2 * request.n))
        return Completion((verdict(**self._verdicts.pop(0)),), Usage(prompt=10, output=1))


def verdict(**probabilities: float) -> completion.Choice:
    """A verdict whose first token has these probabilities."""
    return completion.Choice("", 1, "length", first={token: math.log(p) for token, p in probabilities.items()})


@pytest.mark.parametrize(
    ("first", "score"),
    [
        ({"Yes": 0.6, "No": 0.2}, 0.75),
        ({"Yes": 0.3, " yes": 0.2, "YES": 0.1, "no": 0.2, "The": 0.2}, 0.75),
        ({"Yes": 0.9}, 1.0),
        ({"No": 0.9}, 0.0),
        ({"Maybe": 0.9}, 0.5),
        ({}, 0.5),
    ],
)
def test_the_score_is_the_share_of_yes_among_yes_and_no(first: dict[str, float], score: float) -> None:
    assert p_yes(verdict(**first)) == pytest.approx(score)


async def test_one_token_is_asked_for_as_the_next_turn_so_that_a_kept_prompt_is_a_prefix() -> None:
    model = Recorder({"Yes": 0.5, "No": 0.5})
    assert await PYes().score(PROBLEM, BRANCH, model) == pytest.approx(0.5)
    (request,) = model.requests
    assert (request.max_tokens, request.temperature) == (1, 0)
    assert request.messages == (
        *PROBLEM.messages,
        {"role": "assistant", "content": BRANCH.text},
        {"role": "user", "content": "Is the answer 42 correct (Yes/No)? Reply with one word, Yes or No."},
    )


async def test_with_k_the_verdicts_after_k_checks_are_averaged() -> None:
    model = Recorder({"Yes": 0.8, "No": 0.2}, {"Yes": 0.4, "No": 0.6})
    assert await PYes(k=2).score(PROBLEM, BRANCH, model) == pytest.approx(0.6)
    checking, *verdicts = model.requests
    assert checking.n == 2
    assert [request.messages[-2]["content"] for request in verdicts] == ["check 0", "check 1"]
    assert all(request.messages[:-2] == checking.messages for request in verdicts)


def test_it_needs_logprobs_and_several_completions_only_for_several_checks() -> None:
    assert PYes().needs == {Capability.LOGPROBS}
    assert PYes(k=4).needs == {Capability.LOGPROBS, Capability.N}


@pytest.mark.parametrize("k", [-1, 65])
def test_k_is_bounded(k: int) -> None:
    with pytest.raises(InvalidOption, match=f"p-yes: k={k} must lie between 0 and 64"):
        PYes(k)
