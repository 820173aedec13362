"""Budgets hold in whole runs, whatever calls cost, however long they take, whichever of them fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from rig import Clock, Memory, Model, live, said, solve, virtually

from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.branch import Branch
from ponder.core.budget import Amount, Budget
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import BackendError, BrokenReply, BudgetExhausted, BudgetTooSmall, Rejected, Unreachable
from ponder.core.ledger import Charge
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.engine.resume.journal import Entry, Recorded

PRICE = Price(0.15, 0.075, 0.60, "test")
MAX_TOKENS = 50


async def all_at_once(s: Session) -> Answer:
    return vote(await s.extend(await s.sample(12)))


async def one_by_one(s: Session) -> Answer:
    done: list[Branch] = []
    for _ in range(8):
        done += await s.extend(await s.sample(1))
    return vote(done)


async def first_few(s: Session) -> Answer:
    done: list[Branch] = []
    async with s.as_completed(*(s.extend(branch) for branch in await s.sample(8))) as finished:
        async for branch in finished:
            done.append(branch)
            if len(done) == 3:
                break
    return vote(done)


async def in_pieces(s: Session) -> Answer:
    branches = await s.sample(3)
    while any(branch.live for branch in branches):
        branches = await s.extend(branches, tokens=7)
        await s.probe([branch for branch in branches if branch.live])
    return vote(branches)


async def rations(s: Session) -> Answer:
    async def lane(budget: Budget) -> list[Branch]:
        async with s.limit(budget):
            done: list[Branch] = []
            try:
                while len(done) < 4:
                    done += await s.extend(await s.sample(2))
                    await s.chat([{"role": "user", "content": "go on"}], max_tokens=20)
            except BudgetExhausted:
                pass
            return done

    limits = (Budget(tokens=120), Budget(calls=2), Budget(usd=1e-4, seconds=3.0))
    return vote([branch for lanes in await s.gather(*map(lane, limits)) for branch in lanes])


PROGRAMS: list[Callable[[Session], Coroutine[Any, Any, Answer]]] = [
    all_at_once, one_by_one, first_few, in_pieces, rations,
]  # fmt: skip


class Fickle:
    """A model with a mind of its own: latencies, lengths, failures and streams come from a seed."""

    def __init__(self, seed: int, failing: float, many: bool) -> None:
        self._rng = random.Random(seed)
        self._failing = failing
        self.live: list[Live] = []
        capabilities = frozenset(Capability) - (frozenset() if many else {Capability.N})
        self.model = Model(
            self._play,
            price=PRICE,
            capabilities=capabilities,
            concurrency=self._rng.randint(1, 9),
            most_choices=self._rng.choice([None, 1, 3]),
        )

    async def _play(self, request: Request, progress: Progress) -> Completion:
        self._see_that_no_limit_is_passed()
        rng = self._rng
        fate = rng.random()
        progress.prompt_tokens = prompt = rng.randint(1, 12)
        lengths = [rng.randint(1, request.max_tokens) for _ in range(request.n)]
        pause = rng.choice([0, 0.001, 0.03])
        for at in range(max(lengths)):
            await anyio.sleep(pause)
            if request.stream:
                for index, length in enumerate(lengths):
                    if at < length:
                        progress.grow(index, " word")
            if fate < self._failing and at == max(lengths) // 2:
                raise BrokenReply("broke off") if request.stream else Unreachable("502")
        choices = [self._choice(request, length) for length in lengths]
        return Completion(tuple(choices), Usage(prompt, 0, sum(lengths)))

    def _choice(self, request: Request, length: int) -> Choice:
        text = " word" * max(0, length - 2) + f" Answer: {self._rng.randint(1, 3)}"
        return Choice(text, length, "length" if length == request.max_tokens else "stop")

    def _see_that_no_limit_is_passed(self) -> None:
        root = self.live[0].state.root
        for name, limit in root.budget.limits():
            if name == "seconds":
                assert anyio.current_time() < limit, "a call was made after the deadline"
            else:
                assert getattr(root.spent, name) + getattr(root.reserved, name) <= limit * (1 + 1e-12), name


budgets = st.builds(
    Budget,
    tokens=st.none() | st.integers(MAX_TOKENS, 600),
    usd=st.none() | st.integers(100, 600).map(lambda micro: micro / 1e6),
    calls=st.none() | st.integers(1, 12),
    seconds=st.none() | st.integers(5, 40).map(lambda tenths: tenths / 10),
).filter(lambda budget: any(budget.limits()))


@settings(max_examples=150, deadline=None)
@given(
    program=st.sampled_from(PROGRAMS),
    budget=budgets,
    seed=st.integers(0, 2**32),
    failing=st.sampled_from([0.0, 0.0, 0.2, 0.7]),
    many=st.booleans(),
)
def test_no_run_passes_its_limits_and_every_run_says_why_it_stopped(
    program: Any, budget: Budget, seed: int, failing: float, many: bool
) -> None:
    fickle, journal = Fickle(seed, failing, many), Memory()
    ended = []

    def run(main: Coroutine[Any, Any, Answer]) -> Any:
        with asyncio.Runner(loop_factory=Clock) as runner:
            try:
                return runner.run(main)
            except BackendError as error:
                return error
            finally:
                ended.append(runner.get_loop().time())

    outcome = solve(
        program, fickle.model, run=run, began=fickle.live.append, budget=budget, max_tokens=MAX_TOKENS, journal=journal
    )
    state = fickle.live[0].state
    bill = state.bill
    if isinstance(outcome, Answer):
        event("answered")
        assert outcome.stopped_because
        bill = outcome.bill
        for branch in outcome.branches:
            assert branch.answer is None or branch.complete
    else:
        assert failing, "only a model that fails may end a run without an answer"
    assert bill.total_tokens <= (budget.tokens or 10**9)
    assert bill.calls <= (budget.calls or 10**9)
    assert bill.calls == len(fickle.model.requests)
    assert round((bill.usd or 0) * 1e12) <= round((budget.usd or 1) * 1e12)
    assert budget.seconds is None or ended[0] <= budget.seconds + 1e-9, "the deadline passed and the run went on"
    assert 0 <= bill.discarded_tokens <= bill.output_tokens + bill.probe_tokens
    assert state.root.reserved == Amount()
    assert state.root.spent == Amount(bill.total_tokens, bill.calls, round((bill.usd or 0) * 1e12) / 1e12)
    if program is rations:
        _lanes_kept_their_rations(journal)


def _lanes_kept_their_rations(journal: Memory) -> None:
    for lane, limit in (("1.0/", "tokens"), ("1.1/", "calls"), ("1.2/", "usd")):
        rows = [entry.result or {} for entry in journal.entries if entry.lane.startswith(lane) and entry.intent]
        spent = sum(getattr(Charge(**row["charge"]).amount(PRICE), limit) for row in rows)
        most = {"tokens": 120, "calls": 2, "usd": 1e-4}[limit]
        assert spent <= most * (1 + 1e-12), f"lane {lane} spent {spent} {limit}"


async def once(s: Session) -> Answer:
    return vote(await s.extend(await s.sample(1)))


async def replies(request: Request, progress: Progress) -> Completion:
    await anyio.sleep(1)
    return said(request, *["so it is Answer: 4"] * request.n)


@pytest.mark.parametrize("budget", [Budget(tokens=49), Budget(usd=3e-5)])
def test_a_budget_that_does_not_cover_one_call_is_refused_before_any_is_made(budget: Budget) -> None:
    model = Model(replies, price=PRICE)
    with pytest.raises(BudgetTooSmall, match=r"does not cover one call: that may take 50 tokens and \$0\.0000"):
        solve(once, model, budget=budget)
    assert model.requests == []


def test_the_limit_that_was_reached_is_named_and_the_best_answer_given() -> None:
    answer = solve(all_at_once, Model(replies, price=PRICE), budget="tokens=70,calls=50")
    assert answer.value == "4"
    assert answer.stopped_because == (
        "budget tokens=70 reached: 25 spent, the next call may need 50; 5 of 12 samples complete"
    )
    assert {branch.ending for branch in answer.branches} == {"stop", "budget"}


def test_a_refused_call_waits_for_calls_under_way_and_uses_what_they_give_back() -> None:
    async def two_lanes(s: Session) -> Answer:
        groups = await s.gather(s.extend(await s.sample(2)), s.extend(await s.sample(6)))
        return vote([branch for group in groups for branch in group])

    # 100 tokens hold two branches at a time; each gives back 45 of its 50.
    answer = solve(two_lanes, Model(replies), budget="tokens=100")
    assert [branch.ending for branch in answer.branches] == ["stop"] * 8
    assert answer.bill.total_tokens == 8 * 5


@pytest.mark.parametrize("how", ["branch", "chat", "probe", "chat in a gather", "chat in a race", "retry", "slot"])
def test_the_deadline_ends_whatever_is_under_way(how: str) -> None:
    told: list[str] = []

    async def endless(request: Request, progress: Progress) -> Completion:
        if how == "retry":
            raise Unreachable("busy")
        if request.max_tokens > 5:
            await anyio.sleep(3600)
        return said(request, "so it goes on", prompt=3)

    async def waits(s: Session) -> Answer:
        chat = [{"role": "user", "content": "?"}]
        [branch] = await s.sample(1)
        try:
            match how:
                case "chat":
                    await s.chat(chat)
                case "probe":
                    await s.probe(await s.extend(branch, tokens=3))
                case "chat in a gather":
                    await s.gather(s.chat(chat), s.chat(chat))
                case "chat in a race":
                    async with s.as_completed(s.chat(chat), s.chat(chat)) as finished:
                        async for _ in finished:
                            pass
                case _:
                    await s.extend([branch, *await s.sample(3)])
        except BudgetExhausted as limit:
            told.append(limit.limit)
        return vote([], because="told")

    ended = []

    def run(main: Coroutine[Any, Any, Answer]) -> Answer:
        with asyncio.Runner(loop_factory=Clock) as runner:
            answer = runner.run(main)
            ended.append(runner.get_loop().time())
            return answer

    model = Model(endless, capabilities=set(Capability) - {Capability.N}, concurrency=1 if how == "slot" else 9)
    answer = solve(waits, model, run=run, budget="seconds=0.7" if how == "retry" else "seconds=2")
    assert told == ["seconds"]
    assert ended[0] <= 2
    assert "the deadline passed" in answer.stopped_because
    assert {branch.ending for branch in answer.branches} <= {"budget", None}


@pytest.mark.parametrize("inner", [False, True])
def test_a_deadline_counts_what_earlier_lives_took(inner: bool) -> None:
    ended: list[float] = []

    async def waits(s: Session) -> Answer:
        async with s.limit(Budget(seconds=60 if inner else 3600)):
            return vote(await s.extend(await s.sample(1)))

    async def endless(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(3600)
        return said(request, "Answer: 4")

    async def main() -> Answer:
        run = live(waits, Model(endless), budget=None if inner else "seconds=60", recorded=Recorded(lived))
        answer = await run.run()
        ended.append(anyio.current_time())
        return answer

    # The limit was set 5 seconds into the run, which has lived for 45.
    lived = [Entry("", 1, "limit", {}, {"value": 5.0}, 5.0), Entry("", 2, "clock", {}, {"value": 45.0}, 45.0)]
    answer: Answer = virtually(main())
    assert "the deadline passed" in answer.stopped_because
    # What a run has lived is real time, also in this loop's virtual one: a busy machine takes a little off.
    assert ended == [pytest.approx(20 if inner else 15, abs=4)]


def test_a_limit_that_the_strategy_set_itself_is_not_why_the_run_stopped() -> None:
    async def careful(s: Session) -> Answer:
        async with s.limit(Budget(tokens=60)):
            first = await s.extend(await s.sample(4))
        assert {branch.ending for branch in first} == {"stop", "budget"}
        return vote(await s.extend(await s.sample(1)), because="had enough")

    answer = solve(careful, Model(replies), budget="tokens=1000")
    assert answer.stopped_because == "had enough"


def test_nor_is_a_deadline_that_it_set_itself() -> None:
    async def endless(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(3600)
        return said(request, "Answer: 4")

    async def impatient(s: Session) -> Answer:
        with suppress(BudgetExhausted):
            async with s.limit(Budget(seconds=10)):
                await s.extend(await s.sample(1))
        return vote([], because="had waited enough")

    answer = solve(impatient, Model(endless), budget="seconds=60")
    assert answer.stopped_because == "had waited enough"
    assert answer.branches[0].ending == "budget"


def test_an_uncaught_limit_of_the_strategy_is_why_it_stopped() -> None:
    async def careless(s: Session) -> Answer:
        async with s.limit(Budget(tokens=60)):
            while True:
                await s.extend(await s.sample(1))

    answer = solve(careless, Model(replies))
    assert answer.value == "4"
    assert "budget tokens=60 reached" in answer.stopped_because


def test_failed_samples_do_not_sink_the_run_and_the_answer_says_so() -> None:
    async def flaky(request: Request, progress: Progress) -> Completion:
        if request.branches[0] in ("b1", "b3"):
            raise Unreachable("502 from the model")
        return said(request, "Answer: 4")

    answer = solve(all_at_once, Model(flaky, capabilities=frozenset(Capability) - {Capability.N}))
    assert answer.value == "4"
    assert answer.notes == ("2 of 12 samples failed: 502 from the model",)
    assert [branch.id for branch in answer.branches if branch.ending == "failed"] == ["b1", "b3"]
    assert (answer.bill.failed_calls, answer.bill.retries, answer.bill.calls) == (8, 6, 10 + 8)


def test_children_that_have_not_begun_when_their_race_is_over_send_nothing() -> None:
    async def changes_its_mind(s: Session) -> Answer:
        async with s.as_completed(*(s.extend(branch) for branch in await s.sample(4))):
            pass
        return vote([], because="never mind")

    model = Model(replies)
    assert solve(changes_its_mind, model).bill.calls == 0
    assert model.requests == []


def test_when_one_call_is_refused_those_that_have_not_begun_are_not_sent() -> None:
    async def refuses(request: Request, progress: Progress) -> Completion:
        raise Rejected("401 from the model")

    model = Model(refuses, capabilities=frozenset(Capability) - {Capability.N})
    with pytest.raises(Rejected) as error:
        solve(all_at_once, model)
    assert len(model.requests) == 1
    assert error.value.bill is not None
    assert error.value.bill.calls == 1
