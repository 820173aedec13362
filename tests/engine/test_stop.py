"""A run that is stopped, or whose caller gives up, settles its bill, answers with its best, and can be gone on with."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from crash import ONE_BY_ONE, Outcome, essence, key, life, steady
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import Memory, Model, live, plan, said, solve, virtually

from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.budget import Amount
from ponder.core.completion import Completion
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.engine.methods import parse_spec
from tests.kill.programs import NAMES


async def words(request: Request, progress: Progress) -> Completion:
    """A word a second, streamed."""
    reply = said(request, "one two three four Answer: 4", prompt=3)
    for word in reply.choices[0].text.split(" "):
        await anyio.sleep(1)
        if request.stream:
            progress.grow(0, f" {word}")
    return reply


async def six(s: Session) -> Answer:
    first = await s.extend(await s.sample(1))
    return vote([*first, *await s.extend(await s.sample(5))])


def test_stopping_answers_with_what_is_there_and_says_why() -> None:
    async def main() -> Answer:
        run = live(six, Model(words, capabilities=ONE_BY_ONE), watch=lambda *_: None)
        asyncio.get_running_loop().call_later(8.5, run.stop, "interrupted")
        answer = await run.run()
        assert run.stopped
        assert run.state.root.reserved == Amount()
        return answer

    answer: Answer = virtually(main())
    assert (answer.value, answer.stopped_because) == ("4", "interrupted")
    assert [branch.ending for branch in answer.branches] == ["stop", *["pruned"] * 5]
    assert {branch.text for branch in answer.branches[1:]} == {" one two"}
    assert (answer.bill.calls, answer.bill.total_tokens, answer.bill.discarded_tokens) == (6, 6 + 5 * 2, 10)
    assert answer.bill.sequential_tokens == 6 + 2


async def thirty_two(s: Session) -> Answer:
    return vote(await s.extend(await s.sample(32)))


def test_samples_that_had_finished_when_an_action_was_stopped_vote() -> None:
    async def main() -> Answer:
        run = live(thirty_two, Model(words, capabilities=ONE_BY_ONE, concurrency=16), watch=lambda *_: None)
        asyncio.get_running_loop().call_later(8.5, run.stop, "interrupted")
        return await run.run()

    answer: Answer = virtually(main())
    assert (answer.value, answer.votes) == ("4", {"4": 16})
    assert answer.bill.sequential_tokens == 6


@pytest.mark.parametrize("when", ["before it began", "at once"])
def test_a_run_that_is_stopped_before_anything_was_sent_sends_nothing(when: str) -> None:
    model = Model(words)

    async def main() -> Answer:
        run = live(six, model)
        if when == "before it began":
            run.stop("interrupted")
        else:
            asyncio.get_running_loop().call_soon(run.stop, "interrupted")
        return await run.run()

    answer: Answer = virtually(main())
    assert (answer.value, answer.stopped_because, answer.bill.calls) == (None, "interrupted", 0)
    assert model.requests == []


def interrupted_life(spec: str, after: float, how: str, journal: Memory) -> Outcome | None:
    """A life that somebody ends; None if its caller gave up and got no answer."""
    options: dict[str, Any] = {"recorded": journal.recorded()} if journal.entries else {}
    stop = {
        "stop": lambda run, task: run.stop("interrupted"),
        "cancel": lambda run, task: task.cancel(),
    }[how]
    try:
        return life(parse_spec(spec), steady(), journal, after=after, then=stop, **options)
    except asyncio.CancelledError:
        return None


@settings(max_examples=60, deadline=None)
@given(
    spec=st.sampled_from([name for name in NAMES if name != "first-three"]),
    ends=st.lists(st.tuples(st.floats(0, 8), st.sampled_from(["stop", "cancel"])), min_size=1, max_size=3),
)
def test_a_run_that_was_ended_goes_on_to_the_same_answer_and_pays_for_what_it_asks_again(
    spec: str, ends: list[tuple[float, str]]
) -> None:
    journal = Memory()
    for after, how in ends:
        partial = interrupted_life(spec, after, how, journal)
        assert partial is None or (isinstance(partial, Answer) and partial.stopped_because)
        assert all(entry.result is not None for entry in journal.entries), "an interrupted call is settled, not lost"
    interrupted = [entry for entry in journal.entries if "interrupted" in (entry.result or {})]
    answered = {key(entry) for entry in journal.entries if "choices" in (entry.result or {})}
    before = len(journal.entries)
    got = life(parse_spec(spec), steady(), journal, recorded=journal.recorded())
    wanted = life(parse_spec(spec), steady(), Memory())
    assert not answered & {key(entry) for entry in journal.entries[before:]}
    assert essence(got, -len(interrupted)) == essence(wanted)


def test_what_an_interrupted_call_had_said_is_on_the_bill_of_the_resumed_run_as_discarded() -> None:
    journal = Memory()
    model = Model(words, capabilities=ONE_BY_ONE)
    stop: Any = {"after": 8.5, "then": lambda run, task: run.stop("interrupted")}
    watch: Any = {"watch": lambda *_: None}
    life(plan(six), model, journal, **stop, **watch)
    answer = life(plan(six), model, journal, recorded=journal.recorded(), **watch)
    assert isinstance(answer, Answer)
    assert answer.bill.calls == 6 + 5
    assert answer.bill.total_tokens == 6 * 6 + 5 * 2
    assert answer.bill.discarded_tokens == 5 * 2
    assert answer.bill.lost_calls == 0


async def with_asyncio(run: Live) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run.run(), 8.5)


async def with_anyio(run: Live) -> None:
    with anyio.move_on_after(8.5) as scope:
        await run.run()
    assert scope.cancelled_caught


@pytest.mark.parametrize("limit", [with_asyncio, with_anyio])
def test_a_caller_with_a_time_limit_of_its_own_leaves_nothing_behind(limit: Any) -> None:
    journal = Memory()
    model = Model(words, capabilities=ONE_BY_ONE)

    async def main() -> Live:
        run = live(six, model, journal=journal)
        await limit(run)
        assert len(asyncio.all_tasks()) == 1
        return run

    run: Live = virtually(main())
    assert run.stopped
    assert run.state.root.reserved == Amount()
    assert run.so_far("").value == "4"
    answer = solve(six, model, journal=journal, recorded=journal.recorded())
    assert (answer.value, answer.bill.calls, answer.bill.lost_calls) == ("4", 6 + 5, 0)
