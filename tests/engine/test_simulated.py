"""The sync driver keeps the rules of the live one: limits, prices, and what a strategy may see."""

from __future__ import annotations

import pytest
from rig import Model, plan, said, solve

from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.budget import Budget
from ponder.core.completion import Completion
from ponder.core.errors import InvalidOption
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.core.voting.vote import vote
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool, Recorded

QUESTION = Problem.of("How much is it?", reference="4")
SCORED = [Recorded("4", 10, score=0.9, score_tokens=7), Recorded("5", 20, score=0.1, score_tokens=7)]


async def peek(s: Session) -> Answer:
    """What the strategy knows of the right answer."""
    return Answer(value=s.problem.reference)


async def all_of_them(s: Session) -> Answer:
    return vote(await s.extend(await s.sample(2)))


def test_no_driver_shows_a_strategy_the_reference() -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        return said(request, "Answer: 4")

    assert drive(plan(peek), QUESTION, Pool(SCORED)).value is None
    assert solve(peek, Model(play)).value is None


def test_a_branch_ends_at_the_token_limit() -> None:
    answer = drive(plan(all_of_them), QUESTION, Pool(SCORED), settings=Settings(max_tokens=15))
    assert [branch.ending for branch in answer.branches] == ["stop", "length"]
    assert answer.bill.output_tokens == 25
    assert answer.value == "4"


@pytest.mark.parametrize("budget", [Budget(usd=1), Budget(seconds=1)])
def test_limits_that_nothing_here_can_reach_are_refused(budget: Budget) -> None:
    with pytest.raises(InvalidOption, match="knows only tokens and calls"):
        drive(plan(all_of_them), QUESTION, Pool(SCORED), budget=budget)


def test_scores_that_do_not_fit_are_left_out_as_in_a_live_run() -> None:
    async def careful(s: Session) -> Answer:
        branches = await s.extend(await s.sample(2))
        async with s.limit(Budget(tokens=10)):
            scored = await s.score(branches)
        return Answer(value=str([branch.score for branch in scored]))

    pool = Pool([Recorded("4", 10, score=0.9, score_tokens=7), Recorded("4", 20, score=0.1, score_tokens=7)])
    answer = drive(plan(careful), QUESTION, pool, settings=Settings(max_tokens=20))
    assert answer.value == "[0.9, None]"
    assert answer.bill.verifier_tokens == 7


def test_what_has_a_score_is_not_scored_again() -> None:
    async def twice(s: Session) -> Answer:
        branches = await s.score(await s.extend(await s.sample(2)))
        return vote(await s.score(branches))

    assert drive(plan(twice), QUESTION, Pool(SCORED)).bill.verifier_tokens == 14
