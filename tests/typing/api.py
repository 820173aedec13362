"""The public API as a type checker sees it. Never run: mypy reads it, and a wrong type or name is an error."""

from __future__ import annotations

from typing import assert_type

import ponder
from ponder import Answer, BudgetExhausted, Session
from ponder.core.methods.registry import Strategy


def solving() -> None:
    answer = ponder.solve("What is 12 * 13?", strategy="self-consistency(n=4)", budget="tokens=4k,seconds=30")
    assert_type(answer, Answer)
    assert_type(answer.value, str | None)
    assert_type(answer.confidence, float | None)
    assert_type(answer.stopped_because, str)
    assert_type(answer.branches, tuple[ponder.Branch, ...])
    assert_type(answer.bill, ponder.Bill)
    ponder.solve("2 + 2?", effort_level=0.5)  # type: ignore[call-arg]
    assert_type(ponder.solve([{"role": "user", "content": "What is 12 * 13?"}]), Answer)


async def solving_in_an_event_loop(store: ponder.Store) -> None:
    answer = await ponder.asolve(ponder.Problem.of("2 + 2?", reference="4"), verifier="math", store=store)
    assert_type(answer, Answer)
    await ponder.asolve("2 + 2?", effort_level=0.5)  # type: ignore[call-arg]


@ponder.strategy()
async def until_two_agree(s: Session, n: ponder.Count = 8) -> Answer:
    done: list[ponder.Branch] = []
    try:
        while len(done) < n:
            (opened,) = await s.sample(1)
            branch = await s.extend(opened)
            assert_type(branch, ponder.Branch)
            done.append(branch)
            assert_type(await s.extend(done), list[ponder.Branch])
            if branch.answer in [earlier.answer for earlier in done[:-1]]:
                break
    except BudgetExhausted as reached:
        assert_type(reached.limit, str)
    return ponder.vote(done)


async def operations(s: Session, branch: ponder.Branch) -> None:
    assert_type(await s.fork(branch, 2), list[ponder.Branch])
    assert_type(await s.probe(branch), str | None)
    assert_type(await s.probe([branch]), list[str | None])
    assert_type(await s.prune(branch), ponder.Branch)
    assert_type(await s.score([branch]), list[ponder.Branch])
    assert_type(await s.chat([{"role": "user", "content": "Is it right?"}]), ponder.Reply)
    assert_type(await s.chat([{"role": "user", "content": "Is it right?"}], n=2), list[ponder.Reply])
    assert_type(await s.gather(s.extend(branch), s.extend(branch)), list[ponder.Branch])
    async with s.as_completed(s.extend(branch), s.extend(branch)) as finished:
        async for done in finished:
            assert_type(done, ponder.Branch)
    async with s.limit(ponder.Budget(tokens=500)):
        await s.extend([branch], tokens=100)
    await s.extend("b1")  # type: ignore[arg-type]


def names() -> None:
    assert_type(until_two_agree, Strategy)
    assert_type(ponder.Budget.parse("tokens=20k"), ponder.Budget)
    assert_type(ponder.connect("local/smollm2-135m"), ponder.Backend)
