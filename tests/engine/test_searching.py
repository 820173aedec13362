"""Text of the strategy's own, prompts of its own, scores on the way."""

from __future__ import annotations

import dataclasses

import pytest
from crash import steady
from rig import Model, plan, said, solve

import ponder
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.errors import InvalidOption, MissingCapability, StrategyError
from ponder.core.methods.registry import Strategy
from ponder.core.problem import Ask, Problem
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.methods import parse_spec
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool, Recorded
from tests.kill.programs import LENGTH
from tests.kill.searches import SEARCHES


async def story(request: Request, progress: Progress) -> Completion:
    """Two sentences; what follows a "Wait" has the other answer."""
    waited = request.prefix.count("Wait")
    return said(request, *[f" Answer: {waited + 1}"] * request.n)


async def waits(s: Session) -> Answer:
    [branch] = await s.extend(await s.sample(1))
    before = branch
    branch = await s.append(branch, "\nWait")
    assert (branch.live, branch.answer, branch.tokens) == (True, None, before.tokens)
    return vote([await s.extend(branch)])


def test_a_branch_that_had_ended_goes_on_behind_appended_text() -> None:
    model = Model(story)
    answer = solve(waits, model)
    assert answer.value == "2"
    assert answer.branches[0].text == " Answer: 1\nWait Answer: 2"
    assert [request.prefix for request in model.requests] == ["", " Answer: 1\nWait"]
    assert answer.bill.output_tokens == 4


def test_appending_needs_a_model_that_continues() -> None:
    with pytest.raises(MissingCapability, match="go on from appended text"):
        solve(waits, Model(story, capabilities=[Capability.SAMPLE]))


@pytest.mark.parametrize("text", ["", "x" * 10_000_001])
def test_text_of_no_or_of_boundless_length_is_refused(text: str) -> None:
    async def program(s: Session) -> Answer:
        [branch] = await s.sample(1)
        return vote([await s.append(branch, text)])

    with pytest.raises(InvalidOption, match="1 to 1,000,000 characters"):
        solve(program, Model(story))


def test_nothing_follows_on_a_pruned_branch() -> None:
    async def program(s: Session) -> Answer:
        [branch] = await s.extend(await s.sample(1))
        return vote([await s.append(await s.prune(branch), "Wait")])

    with pytest.raises(StrategyError, match="nothing can be appended to branch b0: it ended: pruned"):
        solve(program, Model(story))


@pytest.mark.parametrize("change", [{"text": " Wait"}, {"answer": "42"}, {"ending": None}, {"tokens": 7}])
def test_a_branch_that_was_changed_by_hand_is_refused(change: dict[str, object]) -> None:
    async def program(s: Session) -> Answer:
        [branch] = await s.extend(await s.sample(1))
        return vote([await s.extend(dataclasses.replace(branch, **change))])  # type: ignore[arg-type]

    with pytest.raises(StrategyError, match="changed by hand"):
        solve(program, Model(story))


async def own_prompts(s: Session) -> Answer:
    first = await s.sample(1)
    others = await s.sample(2, messages=[{"role": "user", "content": "Once more?"}])
    branches = await s.extend(first + others)
    children = await s.fork(branches[1], 1)
    return vote([*branches, *children])


def test_branches_from_a_prompt_of_their_own_vote_like_any_other() -> None:
    model = Model(story)
    answer = solve(own_prompts, model)
    assert [(request.messages[0]["content"][:10], request.n) for request in model.requests] == [
        ("?\n\nThink s", 1),
        ("Once more?", 2),
    ]
    assert dict(answer.votes) == {"1": 4}
    assert answer.branches[3].messages == answer.branches[1].messages


class Reward:
    """Scores a text by its length, and remembers what it saw."""

    name = "reward"
    needs: frozenset[Capability] = frozenset()

    def __init__(self, reads: str) -> None:
        self.reads = reads
        self.seen: list[str] = []

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        self.seen.append(branch.text)
        return len(branch.text) / 100


async def by_steps(request: Request, progress: Progress) -> Completion:
    return said(request, "so it is" if not request.prefix else " Answer: 3")


async def scores_twice(s: Session) -> Answer:
    [branch] = await s.extend(await s.sample(1), tokens=2)
    first = (await s.score(branch)).score
    assert (await s.score(branch)).score == first
    branch = await s.score(await s.extend(await s.append(branch, " then")))
    return vote([branch], because=f"{first} {branch.score}")


def test_a_branch_that_has_grown_is_scored_again_and_only_then() -> None:
    reward = Reward("prefix")
    answer = solve(scores_twice, Model(by_steps), verifier=reward)
    assert reward.seen == ["so it", "so it then Answer: 3"]
    assert "0.05 0.2" in answer.stopped_because


@pytest.mark.parametrize("reads", ["answer", "reply"])
def test_a_verifier_of_finished_branches_is_not_asked_about_others(reads: str) -> None:
    reward = Reward(reads)
    with pytest.raises(MissingCapability, match="scores finished branches, and b0 can still grow"):
        solve(scores_twice, Model(by_steps), verifier=reward)
    assert reward.seen == []


def test_a_strategy_that_needs_a_process_reward_is_refused_another_verifier_before_anything_is_sent() -> None:
    model = Model(story)
    with pytest.raises(MissingCapability, match="still under way, and verifier exact cannot"):
        ponder.solve(Problem.of("?", reference="4"), strategy="scored-beam", verifier="exact", model=model)
    assert model.requests == []


async def no_answer(request: Request, progress: Progress) -> Completion:
    return said(request, "def f(): return 1")


@pytest.mark.parametrize(("reads", "score"), [("answer", 0.0), ("reply", 0.17), ("prefix", 0.17)])
def test_a_verifier_of_whole_replies_sees_those_without_an_answer(reads: str, score: float) -> None:
    async def program(s: Session) -> Answer:
        [branch] = await s.score(await s.extend(await s.sample(1)))
        return vote([branch], because=str(branch.score))

    answer = solve(program, Model(no_answer), verifier=Reward(reads))
    assert answer.branches[0].score == pytest.approx(score)


@pytest.mark.parametrize("spec", SEARCHES)
@pytest.mark.parametrize("calls", range(1, 8))
def test_a_budget_that_ends_in_the_middle_still_gives_an_answer(spec: str, calls: int) -> None:
    answer = solve(parse_spec(spec).strategy.program, steady(), budget=f"calls={calls}", verifier=LENGTH)
    assert answer.bill.calls <= calls
    assert answer.stopped_because


@pytest.mark.parametrize(
    ("program", "what"),
    [(waits, "appended text"), (own_prompts, "prompts of the strategy's own")],
    ids=["append", "own"],
)
def test_what_was_not_recorded_is_refused_by_name(program: object, what: str) -> None:
    pool = Pool([Recorded("4", 10), Recorded("4", 20), Recorded("5", 30)])
    with pytest.raises(MissingCapability, match=f"no record of branches (from|with) {what}"):
        drive(plan(program), Problem.of("?"), pool)  # type: ignore[arg-type]


async def hinted(s: Session) -> Answer:
    [branch] = await s.extend(await s.sample(1), tokens=8)
    branch = await s.extend(await s.append(branch, " Wait, the answer is"), tokens=8)
    return Answer(value=None, text=branch.text)


def test_the_embedded_model_goes_on_from_appended_text() -> None:
    answer = ponder.solve("What is 2 + 3?", strategy=Strategy.of(hinted), max_tokens=24, seed=1)
    before, hint, after = answer.text.partition(" Wait, the answer is")
    assert before
    assert hint
    assert after
    assert answer.bill.output_tokens == 16


@pytest.mark.parametrize("spec", ["self-refine(rounds=1)", "aggregation(population=2,rounds=1)"])
def test_they_run_on_the_embedded_model(spec: str) -> None:
    answer = ponder.solve("What is 2 + 3?", strategy=spec, max_tokens=8, seed=1)
    assert answer.bill.calls > 1
    assert answer.text
