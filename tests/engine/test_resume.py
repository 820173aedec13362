"""A run that is cut off anywhere and resumed gives the same answer and the same bill."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import pytest
from crash import Crash, Failure, draw, life, steady
from rig import Memory, plan

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.errors import BackendError, BudgetExhausted, Rejected, StrategyError, Unreachable
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.methods import parse_spec
from tests.kill.programs import NAMES

MANY_AT_ONCE = partial(steady, frozenset(Capability))


def survives_every_crash(crash: Crash, step: int = 1) -> list[Answer | Any]:
    """Crash after each write, or each `step`-th; every third of the resumed runs crashes again."""
    deaths = ((dies, dies // 2 + 1) if dies % 3 == 0 else (dies,) for dies in range(0, crash.writes, step))
    return [crash.after(*each) for each in deaths]


@pytest.mark.parametrize("spec", NAMES)
def test_every_strategy_survives_a_crash_after_any_write(spec: str) -> None:
    answers = survives_every_crash(Crash(parse_spec(spec)))
    assert any(answer.bill.lost_calls for answer in answers), "no crash caught a call in flight"


@pytest.mark.parametrize("spec", ["self-consistency(n=6)", "lottery", "beam"])
def test_so_do_calls_that_complete_several_branches(spec: str) -> None:
    survives_every_crash(Crash(parse_spec(spec), MANY_AT_ONCE))


@pytest.mark.parametrize("model", [steady, MANY_AT_ONCE])
@pytest.mark.parametrize("spec", ["self-consistency(n=9)", "adaptive-consistency(n=8,threshold=0.99)"])
def test_a_run_that_reaches_its_budget_stops_at_the_same_place(spec: str, model: Any) -> None:
    crash = Crash(parse_spec(spec), model, Budget(tokens=150))
    assert isinstance(crash.expected, Answer)
    assert "budget tokens=150 reached" in crash.expected.stopped_because
    survives_every_crash(crash)


async def thrifty(s: Session) -> Answer:
    """Goes on with small calls when large ones do not fit any more."""
    done = await s.extend(await s.sample(9))
    return vote(done, because=str(await s.chat([{"role": "user", "content": "Sum up"}], max_tokens=3)))


@pytest.mark.parametrize("model", [steady, MANY_AT_ONCE])
def test_what_was_refused_is_refused_again_with_the_same_words(model: Any) -> None:
    crash = Crash(plan(thrifty), model, Budget(tokens=150))
    assert isinstance(crash.expected, Answer)
    assert crash.expected.stopped_because.startswith("budget tokens=150 reached: ")
    survives_every_crash(crash)


async def judges(s: Session) -> Answer:
    """What scoring cost counts under the strategy's own limit."""
    done: list[Branch] = []
    async with s.limit(Budget(tokens=150)):
        with contextlib.suppress(BudgetExhausted):
            while True:
                done += await s.score(await s.extend(await s.sample(1)))
    return vote(done, because=str(len(done)))


def test_a_limit_counts_what_verifiers_had_asked_in_an_earlier_life() -> None:
    crash = Crash(plan(judges))
    assert isinstance(crash.expected, Answer)
    assert crash.expected.bill.verifier_tokens
    survives_every_crash(crash)


def unlucky(luck: int, error: BackendError) -> Failure:
    """A quarter of all calls fail, however often they are tried."""
    return lambda request: error if draw(request, luck).random() < 0.25 else None


@pytest.mark.parametrize("luck", [90, 109])
@pytest.mark.parametrize("spec", ["self-consistency(n=9)", "adaptive-consistency(n=8,threshold=0.99)", "beam"])
def test_failed_attempts_stay_on_the_bill(spec: str, luck: int) -> None:
    crash = Crash(parse_spec(spec), partial(steady, failure=unlucky(luck, Unreachable("the model is busy"))))
    bill = crash.expected.bill
    assert bill is not None
    assert bill.failed_calls == bill.retries * 4 / 3 > 0
    survives_every_crash(crash, step=2)


async def forgives(s: Session) -> Answer:
    """Goes on when a whole gather has failed."""
    done: list[Branch] = []
    for _ in range(4):
        try:
            groups = await s.gather(*[s.extend(await s.sample(2)) for _ in range(3)])
        except BackendError:
            continue
        done += [branch for group in groups for branch in group]
    return vote(done)


@pytest.mark.parametrize("luck", [90, 109])
def test_the_children_that_an_error_cancels_are_the_same_ones(luck: int) -> None:
    crash = Crash(plan(forgives), partial(steady, failure=unlucky(luck, Rejected("not this one"))))
    assert crash.expected.bill is not None
    assert crash.expected.bill.failed_calls
    survives_every_crash(crash, step=2)


def test_a_strategy_that_changed_in_between_is_found_out() -> None:
    journal = Memory()
    other = False

    async def moody(s: Session) -> Answer:
        branches = await s.extend(await s.sample(2), tokens=7 if other else None)
        return vote(branches)

    life(plan(moody), steady(), journal)
    other = True
    outcome = life(plan(moody), steady(), journal, recorded=journal.recorded())
    assert isinstance(outcome, StrategyError)
    assert "otherwise than when this run was recorded" in str(outcome)
