"""Races resume to the same winners, and ask no more of the losers than before."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from crash import ONE_BY_ONE, Crash, draw
from rig import Literally, Model, plan, said

from ponder.core.answer import Answer
from ponder.core.backend import Progress, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.errors import Rejected
from ponder.core.session import Session
from ponder.core.voting.vote import vote

SECONDS = {"b0": 3, "b1": 1, "b2": 4, "b3": 6, "b4": 2, "b5": 5}


def runners(concurrency: int = 64, says: dict[str, str] | None = None) -> Model:
    """A model on which branches take the seconds above."""

    async def play(request: Request, progress: Progress) -> Completion:
        name = request.branches[0] if request.branches else ""
        await anyio.sleep(SECONDS.get(name, 0.01))
        if name == "b3" and says is None:
            raise Rejected("not this one")
        words = (says or {}).get(name, f"well Answer: {draw(request).randint(1, 3)}")
        return said(request, words, prompt=1)

    return Model(play, capabilities=ONE_BY_ONE, concurrency=concurrency)


async def sprint(s: Session) -> Answer:
    """The first of five wins, and a sixth runs alone."""
    async with s.as_completed(*(s.extend(branch) for branch in await s.sample(5))) as finished:
        winner = await anext(finished)
    return vote([winner, *await s.extend(await s.sample(1))], because=winner.id)


async def relay(s: Session) -> Answer:
    """The same with two legs each, in a gather beside another lane."""

    async def legs(branch: Branch) -> Branch:
        await s.chat([{"role": "user", "content": branch.id}], max_tokens=5)
        return await s.extend(branch)

    async def race() -> Branch:
        async with s.as_completed(*(legs(branch) for branch in branches[:4])) as finished:
            return await anext(finished)

    branches = await s.sample(5)
    winner, other = await s.gather(race(), s.extend(branches[4]))
    return vote([winner, other], because=winner.id)


async def broken(s: Session) -> Answer:
    """One child of a gather is refused while others run and others still wait."""
    branches = await s.sample(6)
    with pytest.raises(Rejected):
        await s.gather(*(s.extend(branch) for branch in (branches[3], *branches[:3], *branches[4:])))
    return vote(await s.extend(await s.sample(1)), because="went on alone")


# Where lanes of several calls wait for slots, who gets the next one is a matter of time, which no crash gives back.
@pytest.mark.parametrize(
    ("program", "concurrency"),
    [(sprint, 1), (sprint, 2), (sprint, 3), (sprint, 64), (relay, 64), (broken, 1), (broken, 64)],
)
def test_who_was_cancelled_stays_cancelled(program: Any, concurrency: int) -> None:
    crash = Crash(plan(program), lambda: runners(concurrency, None if program is broken else {}))
    assert isinstance(crash.expected, Answer), crash.expected
    for dies in range(crash.writes):
        crash.after(dies)
        crash.after(dies, dies // 2 + 1)


class Slowly(Literally):
    """Takes five seconds to see that 2 is not 1."""

    async def same(self, left: str, right: str) -> bool:
        await anyio.sleep(5)
        return await super().same(left, right)


async def photo_finish(s: Session) -> Answer:
    first, early, late = await s.sample(3)
    order = [await s.extend(first)]
    async with s.as_completed(s.extend(late), s.extend(early)) as finished:
        async for branch in finished:
            order.append(branch)
            await s.chat([{"role": "user", "content": branch.id}], max_tokens=5)
    return vote(order, because=" then ".join(branch.id for branch in order))


@pytest.mark.parametrize(
    ("early", "late", "order"),
    [
        ("2", "1", "b0 then b2 then b1"),  # the early one takes longer to be understood than the late one to come
        ("2", "3", "b0 then b1 then b2"),  # the late one is there before the early one is understood, and waits
    ],
)
def test_the_order_of_finishing_is_that_of_the_children_and_not_of_their_calls(
    early: str, late: str, order: str
) -> None:
    says = {"b0": "Answer: 1", "b1": f"Answer: {early}", "b2": f"Answer: {late}"}
    crash = Crash(plan(photo_finish), lambda: runners(says=says), answers=Slowly())
    assert isinstance(crash.expected, Answer)
    assert crash.expected.stopped_because == order
    for dies in range(crash.writes):
        crash.after(dies)
