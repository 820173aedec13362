"""A deadline bounds comparison, verification and extraction as well as the calls."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from ponder.answers import Answers
from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.problem import Ask, Problem
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.workers import Workers
from tests.engine.rig import Literally, Model, Program, live, said, virtually


class Slow(Literally):
    """Equal strings are equal at once; everything else takes an hour of virtual time."""

    async def same(self, left: str, right: str) -> bool:
        if left != right:
            await anyio.sleep(3600)
        return left == right


class SlowReader(Literally):
    """What is longer than a hundred characters takes an hour."""

    async def extract(self, text: str) -> str | None:
        if len(text) > 5_000:
            await anyio.sleep(3600)
        return await super().extract(text)


class Sleeper:
    """A verifier that takes an hour for the answer 2."""

    name = "sleeper"
    needs = frozenset()

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        if branch.answer == "2":
            await anyio.sleep(3600)
        return 0.5


def timed(program: Program, model: Model, **options: Any) -> tuple[Answer, float]:
    """The answer, and the seconds of virtual time that it took."""

    async def main() -> tuple[Answer, float]:
        began = anyio.current_time()
        return await live(program, model, **options).run(), anyio.current_time() - began

    found: tuple[Answer, float] = virtually(main())
    return found


async def voted(s: Session) -> Answer:
    return vote(await s.extend(await s.sample(4)))


async def scored(s: Session) -> Answer:
    branches = await s.score(await s.extend(await s.sample(3)))
    return Answer(value="scores", text=str([branch.score for branch in branches]))


async def different(request: Request, progress: Progress) -> Completion:
    return said(request, *(f"Answer: {branch.strip('b')}" for branch in request.branches))


async def alike(request: Request, progress: Progress) -> Completion:
    return said(request, *("Answer: 1" for _ in request.branches))


async def long_winded(request: Request, progress: Progress) -> Completion:
    return said(request, *("so " * 3_000 + f"Answer: {branch.strip('b')}" for branch in request.branches))


def test_pairs_that_are_undecided_at_the_deadline_count_as_different_and_the_answer_says_so() -> None:
    answer, seconds = timed(voted, Model(different), answers=Slow(), budget="seconds=3")
    assert dict(answer.votes) == {"0": 1, "1": 1, "2": 1, "3": 1}
    assert seconds == pytest.approx(3)
    assert any("pairs of answers could be compared: undecided counts as different" in note for note in answer.notes)


def test_what_needs_no_work_is_decided_after_the_deadline_as_well() -> None:
    answer, _ = timed(voted, Model(alike), answers=Slow(), budget="seconds=3")
    assert dict(answer.votes) == {"1": 4}
    assert answer.notes == ()


def test_of_a_long_reply_the_end_is_read_when_there_is_no_time_for_the_whole() -> None:
    answer, _ = timed(voted, Model(long_winded), answers=SlowReader(), budget="seconds=3", max_tokens=10_000)
    assert dict(answer.votes) == {"0": 1, "1": 1, "2": 1, "3": 1}
    assert any(note.startswith("time ran out before 4 long replies could be read") for note in answer.notes)


def test_a_verifier_ends_at_the_deadline_and_leaves_its_branch_without_a_score() -> None:
    answer, seconds = timed(scored, Model(different), verifier=Sleeper(), budget="seconds=3")
    assert answer.text == "[0.5, 0.5, None]"
    assert seconds == pytest.approx(3)
    assert "the deadline passed" in answer.stopped_because


def test_a_run_that_somebody_stops_compares_for_a_moment_only() -> None:
    async def main() -> float:
        began = anyio.current_time()
        run = live(voted, Model(different), answers=Slow())

        async def stop(run: Live) -> None:
            await anyio.sleep(5)
            run.stop("interrupted")

        async with anyio.create_task_group() as group:
            group.start_soon(stop, run)
            answers.append(await run.run())
        return anyio.current_time() - began

    answers: list[Answer] = []
    assert virtually(main()) == pytest.approx(7)
    [answer] = answers
    assert answer.value in {"0", "1", "2", "3"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "tower",
    ["9^{9^{9^{9}}}", "x+9^{9^{9^{KEY}}}", "999999999!", "(x+1)^{99999}", "2^{100000}", "(" * 200 + "x" + ")" * 200],
)
async def test_what_would_grow_beyond_any_machine_is_measured_and_never_evaluated(tower: str) -> None:
    """Eight replies like these took over a minute of a run that had three seconds."""
    workers = Workers()
    answers = Answers(workers)
    formulas = [tower.replace("KEY", str(number)) + f"+{number}" for number in range(3)]
    assert [await answers.same(formulas[0], other) for other in formulas] == [True, False, False]
    assert workers.jobs == 0
