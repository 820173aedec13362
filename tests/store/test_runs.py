"""Runs in a store: how they end, and how they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import ponder.strategies  # noqa: F401 - registers them
from ponder.api import aresume, asolve
from ponder.backends.scripted import Reply, Scripted
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Request
from ponder.core.errors import BudgetTooSmall, Rejected
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.store.base import RunStore

ONE_BY_ONE = frozenset(Capability) - {Capability.N}


def model(says: Callable[[Request, int], Reply] = lambda request, index: "so it is Answer: 4") -> Scripted:
    return Scripted(says, capabilities=ONE_BY_ONE, token_seconds=0.001)


def solve(store: RunStore, backend: Scripted, spec: str, **options: Any) -> Answer:
    return asyncio.run(asolve("?", strategy=spec, model=backend, store=store, max_tokens=20, seed=3, **options))


def resume(store: RunStore, backend: Scripted) -> Answer:
    return asyncio.run(aresume("last", store, backend=backend))


def test_a_finished_run_gives_its_answer_again_without_a_call(store: RunStore) -> None:
    answer = solve(store, model(), "self-consistency(n=3)")
    again = model()
    assert resume(store, again) == answer
    assert again.calls == 0
    assert store.run("last").status == "done"


def test_a_stopped_run_goes_on(store: RunStore) -> None:
    def stop_soon(live: Live, name: str | None) -> None:
        asyncio.get_running_loop().call_later(0.02, live.stop, "interrupted")

    def slow(request: Request, index: int) -> Reply:
        return "word " * 15 + "Answer: 4"

    partial = solve(store, model(slow), "adaptive-consistency(n=6,threshold=1)", on_start=stop_soon)
    assert partial.stopped_because == "interrupted"
    assert store.run("last").status == "interrupted"
    whole = resume(store, model(slow))
    assert whole.run == partial.run
    assert whole.stopped_because.startswith("all 6 samples drawn")
    assert whole.bill.calls == 6 + sum(branch.ending == "pruned" for branch in partial.branches)
    assert store.run("last").status == "done"


def test_a_run_whose_caller_gave_up_goes_on(store: RunStore) -> None:
    async def impatient() -> None:
        slow = Scripted(lambda request, index: "word " * 15 + "Answer: 4", token_seconds=0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asolve("?", strategy="single", model=slow, store=store, max_tokens=20), 0.1)

    asyncio.run(impatient())
    assert store.run("last").status == "interrupted"
    assert resume(store, model()).value == "4"


@strategy("plans-first")
async def plans_first(s: Session) -> Answer:
    """A chat, then three samples."""
    plan = await s.chat([{"role": "user", "content": "What is the plan?"}])
    return vote(await s.extend(await s.sample(3)), because=plan.text)


def moved(request: Request, index: int) -> Reply:
    """Answers chats, and refuses the rest."""
    return Rejected("the server has moved") if request.branches else "as ever"


@pytest.mark.parametrize("crashes", [False, True])
def test_a_failed_run_goes_on_after_its_last_answer_once_the_server_is_back(store: RunStore, crashes: bool) -> None:
    with pytest.raises(Rejected, match="moved"):
        solve(store, model(moved), "plans-first")
    failed = store.run("last")
    assert failed.status == "failed"
    assert failed.answer is not None
    assert failed.answer["bill"]["calls"] == 2
    if crashes:  # taken up, and killed at once
        store.begin_again(failed.id)
    again = model()
    answer = resume(store, again)
    assert (answer.value, answer.stopped_because) == ("4", "as ever")
    assert again.calls == 3, "the plan was not asked for again"
    assert (answer.bill.calls, answer.bill.failed_calls, answer.bill.lost_calls) == (2 + 3, 1, 0)
    assert store.run("last").status == "done"


def test_a_run_that_fails_again_can_be_taken_up_again(store: RunStore) -> None:
    with pytest.raises(Rejected):
        solve(store, model(moved), "plans-first")
    with pytest.raises(Rejected):
        resume(store, model(moved))
    answer = resume(store, model())
    assert (answer.value, answer.bill.calls, answer.bill.failed_calls) == ("4", 1 + 1 + 1 + 3, 2)


def test_a_run_that_failed_half_way_has_an_answer_and_goes_on_too(store: RunStore) -> None:
    """The two samples of the first window disagree; then the server moves."""
    asked = iter(["Answer: 4", "Answer: 5"])
    answer = solve(store, model(lambda *_: next(asked, Rejected("the server has moved"))), "esc(n=4,window=2)")
    assert (answer.value, answer.stopped_because) == ("4", "the model failed: the server has moved")
    assert store.run("last").status == "failed"
    again = model()
    assert resume(store, again).stopped_because == "a window of 2 agreed after 4 samples"
    assert again.calls == 2
    assert store.run("last").status == "done"


def test_a_budget_that_is_too_small_is_refused_and_nothing_is_sent(store: RunStore) -> None:
    backend = model()
    with pytest.raises(BudgetTooSmall):
        solve(store, backend, "self-consistency(n=3)", budget="tokens=19")
    assert backend.calls == 0
