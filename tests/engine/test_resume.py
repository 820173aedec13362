"""A run that is cut off anywhere and resumed gives the same answer and the same bill."""

from __future__ import annotations

import zlib
from functools import partial
from typing import Any

import pytest
from crash import Crash, Failure, Memory, draw, life, steady
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import plan

from ponder.core.answer import Answer
from ponder.core.backend import Capability, Request
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.errors import BackendError, BudgetExhausted, Rejected, StrategyError, Unreachable
from ponder.core.registry import parse_spec
from ponder.core.session import Session
from ponder.core.voting import vote
from tests.kill.programs import NAMES

MANY_AT_ONCE = partial(steady, frozenset(Capability))


def survives_every_crash(crash: Crash) -> list[Answer | Any]:
    """Crash after each write; a third of the resumed runs crash again."""
    return [crash.after(dies, dies // 2 + 1) if dies % 3 == 0 else crash.after(dies) for dies in range(crash.writes)]


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
    assert "budget tokens=150 reached" in crash.expected.stopped_because
    survives_every_crash(crash)


def unlucky(luck: int, error: BackendError) -> Failure:
    """A quarter of all calls fail, however often they are tried."""
    return lambda request: error if draw(request, luck).random() < 0.25 else None


@pytest.mark.parametrize("luck", [90, 94, 109])
@pytest.mark.parametrize("spec", ["self-consistency(n=9)", "adaptive-consistency(n=8,threshold=0.99)", "beam"])
def test_failed_attempts_stay_on_the_bill(spec: str, luck: int) -> None:
    crash = Crash(parse_spec(spec), partial(steady, failure=unlucky(luck, Unreachable("the model is busy"))))
    bill = crash.expected.bill
    assert bill is not None
    assert bill.failed_calls == bill.retries * 4 / 3 > 0
    survives_every_crash(crash)


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


@pytest.mark.parametrize("luck", [90, 94, 109])
def test_the_children_that_an_error_cancels_are_the_same_ones(luck: int) -> None:
    crash = Crash(plan(forgives), partial(steady, failure=unlucky(luck, Rejected("not this one"))))
    assert crash.expected.bill is not None
    assert crash.expected.bill.failed_calls
    survives_every_crash(crash)


Tree = list[Any]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.lists(st.sampled_from(["one", "two", "chat", "roll", "prune", "score", "probe", "fork"]), min_size=1, max_size=3),
    lambda inner: st.lists(
        st.one_of(
            st.sampled_from(["one", "chat", "roll"]),
            st.tuples(st.just("gather"), st.lists(inner, min_size=1, max_size=3)),
            st.tuples(st.just("race"), st.lists(inner, min_size=1, max_size=3)),
            st.tuples(st.integers(30, 150), st.lists(st.sampled_from(["one", "two", "chat", "roll"]), min_size=1)),
        ),
        min_size=1,
        max_size=3,
    ),
    max_leaves=6,
)


async def follows(s: Session, tree: Tree) -> Answer:
    """Carries out a program that hypothesis wrote."""
    seen: list[str] = []

    async def run(node: Any, done: list[Branch]) -> list[Branch]:
        match node:
            case "one" | "two":
                return await s.extend(await s.sample(1 if node == "one" else 2))
            case "chat":
                seen.append(await s.chat([{"role": "user", "content": f"{len(done)} so far"}], max_tokens=8))
            case "roll":
                seen.append(str(s.rng.random()))
                return await s.extend(await s.sample(s.rng.randint(1, 3)))
            case "prune" if done:
                await s.prune(done[s.rng.randrange(len(done))])
            case "score" if done:
                seen.append(str([branch.score for branch in await s.score(done)]))
            case "probe" | "fork":
                [branch] = await s.extend(await s.sample(1), tokens=4)
                if node == "probe":
                    seen.append(str(await s.probe(branch)))
                return await s.extend(await s.fork(branch, 2))
            case ("gather", children):
                return [branch for group in await s.gather(*(sequence(child) for child in children)) for branch in group]
            case ("race", children):
                found = []
                async with s.as_completed(*(sequence(child) for child in children)) as finished:
                    async for group in finished:
                        found.append(group)
                return sorted((branch for group in found for branch in group), key=lambda branch: branch.id)
            case (int() as tokens, inner):
                async with s.limit(Budget(tokens=tokens)):
                    try:
                        return await sequence(inner)
                    except BudgetExhausted as limit:
                        seen.append(str(limit))
        return []

    async def sequence(nodes: Tree) -> list[Branch]:
        done: list[Branch] = []  # lanes that touched each other's branches would depend on who comes first
        for node in nodes:
            done += await run(node, done)
        return done

    return vote(await sequence(tree), because=f"{zlib.crc32(repr(sorted(seen)).encode())}")


@settings(max_examples=50, deadline=None)
@given(trees, st.data())
def test_any_program_survives_any_crashes(tree: Tree, data: st.DataObject) -> None:
    crash = Crash(plan(follows, tree=tree), data.draw(st.sampled_from([steady, MANY_AT_ONCE])))
    deaths = data.draw(st.lists(st.integers(0, crash.writes), min_size=1, max_size=3), label="deaths")
    crash.after(*deaths)


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
