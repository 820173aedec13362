"""Who is let in, with what, and what is booked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ponder
from ponder.backends.scripted import Scripted
from ponder.core.bill import Bill, Price
from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption, Unreachable
from ponder.gateway.accounts.keys import new_key
from ponder.gateway.accounts.sqlite import SqliteAccounts
from ponder.gateway.admission.gate import TOTAL, Admission, Ask, Permit, Refused
from ponder.gateway.settings import Caps, Config, Key, Limits
from ponder.store.sqlite import Store

pytestmark = pytest.mark.anyio

NOW = 2e9


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[SqliteAccounts]:
    store = Store(tmp_path / "runs.db")
    yield SqliteAccounts(store)
    store.close()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


async def enter(accounts: SqliteAccounts, name: str) -> str:
    token, row = new_key(name)
    await accounts.add_key(row)
    return token


def ask(**values: Any) -> Ask:
    return Ask(**{"upstream": "local", "prompt_bytes": 10, **values})


async def refusal(admission: Admission, token: str | None, asked: Ask) -> Refused:
    with pytest.raises(Refused) as refused:
        async with admission.admit(token, asked):
            raise AssertionError
    return refused.value


async def permit(admission: Admission, token: str | None, asked: Ask, bill: Bill) -> Permit:
    async with admission.admit(token, asked) as made:
        made.settle(bill)
    return made


async def test_without_a_key_on_loopback_everybody_is_let_in(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(), accounts)
    assert (await permit(admission, None, ask(), Bill())).key.name == "anonymous"
    assert (await permit(admission, "whatever a library sends", ask(), Bill())).key.name == "anonymous"


async def test_from_the_first_key_on_everybody_needs_one(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(), accounts)
    token = await enter(accounts, "alice")
    assert (await permit(admission, token, ask(), Bill())).key.name == "alice"
    assert (await refusal(admission, None, ask())).status == 401
    await accounts.revoke_key("alice", NOW)
    refused = await refusal(admission, token, ask())
    assert (refused.status, refused.code) == (401, "invalid_api_key")
    assert token.split("-", 2)[2] not in str(refused)


@pytest.mark.parametrize(
    "config", [Config(host="0.0.0.0"), Config(host="example.org"), Config(keys={"a": Key(name="a")})]
)
async def test_beyond_loopback_nobody_is_let_in_without_a_key(accounts: SqliteAccounts, config: Config) -> None:
    assert (await refusal(Admission(config, accounts), None, ask())).code == "missing_api_key"


def test_limits_without_a_place_to_count_are_refused() -> None:
    with pytest.raises(InvalidOption, match="need a store"):
        Admission(Config(limits=Limits(tokens=5)))


async def test_what_is_above_a_cap_is_refused(accounts: SqliteAccounts) -> None:
    refused = await refusal(Admission(Config(caps=Caps(prompt_bytes=9)), accounts), None, ask())
    assert (refused.status, refused.code) == (413, "prompt_too_large")


async def test_a_key_has_its_own_caps(accounts: SqliteAccounts) -> None:
    config = Config(caps=Caps(n=4), keys={"alice": Key(name="alice", caps=Caps(n=8))})
    admission = Admission(config, accounts)
    alice, bob = await enter(accounts, "alice"), await enter(accounts, "bob")
    await permit(admission, alice, ask(n=8), Bill())
    assert (await refusal(admission, bob, ask(n=8))).code == "cap_exceeded"


async def test_a_rate_is_kept_and_says_when_to_come_again(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(limits=Limits(requests_per_minute=2)), accounts)
    alice, bob = await enter(accounts, "alice"), await enter(accounts, "bob")
    for _ in range(2):
        await admission.take_turn(await admission.identify(alice))
    with pytest.raises(Refused) as refused:
        await admission.take_turn(await admission.identify(alice))
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "rate_limited", 30)
    await admission.take_turn(await admission.identify(bob))


async def test_dollars_are_capped_also_where_no_budget_can_be_imposed() -> None:
    admission, dear = Admission(Config(caps=Caps(usd=0.001))), Price(10, 10, 10, "given")
    assert (await refusal(admission, None, ask(max_tokens=30_000, price=dear))).code == "cap_exceeded"
    assert (await refusal(admission, None, ask(prompt_bytes=4000, price=dear))).code == "cap_exceeded"
    assert (await permit(admission, None, ask(price=dear), Bill())).max_tokens == 26


async def test_the_bill_is_booked_for_the_key_and_for_all_together(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(total=Limits(tokens=10**6)), accounts)
    alice = await enter(accounts, "alice")
    await permit(admission, alice, ask(max_tokens=500), Bill(output_tokens=30, probe_tokens=4, usd=0.25))
    for account in ("alice", TOTAL):
        spent = await accounts.spent(account, NOW)
        assert (spent.tokens, spent.usd) == (34, 0.25)


async def test_near_the_end_of_a_budget_a_run_gets_what_is_left(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(limits=Limits(tokens_per_day=1000)), accounts)
    alice = await enter(accounts, "alice")
    scaled = ask(strategy="self-consistency(n=4)", max_tokens=200)
    assert (await permit(admission, alice, scaled, Bill(output_tokens=700))).budget.tokens == 800
    assert (await permit(admission, alice, scaled, Bill(output_tokens=150))).budget.tokens == 300
    refused = await refusal(admission, alice, scaled)
    assert (refused.status, refused.code) == (429, "insufficient_quota")
    assert refused.retry_after == 86_400 - NOW % 86_400
    assert "key alice: what is left of tokens_per_day" in str(refused)


async def test_a_budget_that_others_hold_a_part_of_is_worth_asking_again_soon(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(limits=Limits(tokens_per_day=1000)), accounts)
    alice = await enter(accounts, "alice")
    async with admission.admit(alice, ask(max_tokens=900)) as other:
        refused = await refusal(admission, alice, ask(max_tokens=200))
        assert (refused.code, refused.retry_after) == ("quota_reserved", 2)
        assert (await refusal(admission, alice, ask(max_tokens=1001))).code == "insufficient_quota"
        other.settle(Bill(output_tokens=10))
    await permit(admission, alice, ask(max_tokens=200), Bill())


async def test_a_request_that_passes_through_is_left_as_it_is_unless_a_limit_is_near(accounts: SqliteAccounts) -> None:
    free, limited = Admission(Config(), accounts), Admission(Config(limits=Limits(tokens=40_000)), accounts)
    alice = await enter(accounts, "alice")
    assert (await permit(free, alice, ask(), Bill())).max_tokens is None
    assert (await permit(free, alice, ask(max_tokens=5), Bill())).max_tokens == 5
    assert (await permit(limited, alice, ask(), Bill(output_tokens=20_000))).max_tokens is None
    assert (await permit(limited, alice, ask(n=2), Bill(output_tokens=19_990))).max_tokens == 10_000
    assert (await refusal(limited, alice, ask())).code == "insufficient_quota"
    assert (await permit(limited, alice, ask(max_tokens=10), Bill(output_tokens=10))).max_tokens == 10


async def test_dollars_limit_the_reply_too(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(limits=Limits(usd=0.001)), accounts)
    alice = await enter(accounts, "alice")
    price = Price(1, 1, 10, "given")
    made = await permit(admission, alice, ask(price=price, prompt_bytes=36), Bill(usd=0.0005))
    assert made.max_tokens == 90
    assert made.budget.usd == pytest.approx(0.001)
    assert (await refusal(admission, alice, ask(prompt_bytes=36))).code == "price_unknown"


async def test_the_deadline_of_the_caps_holds_for_who_names_none(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(caps=Caps(seconds=20)), accounts)
    assert (await permit(admission, None, ask(), Bill())).budget.seconds == 20
    assert (await permit(admission, None, ask(budget=Budget(seconds=3)), Bill())).budget.seconds == 3


async def test_a_request_that_fails_is_booked_with_what_the_failure_had_cost(accounts: SqliteAccounts) -> None:
    admission, alice = Admission(Config(), accounts), await enter(accounts, "alice")
    failure = Unreachable("gone")
    failure.bill = Bill(output_tokens=7)
    with pytest.raises(Unreachable):
        async with admission.admit(alice, ask()):
            raise failure
    with pytest.raises(Unreachable):
        async with admission.admit(alice, ask()):
            raise Unreachable("never sent")
    assert (await accounts.spent("alice", NOW)).tokens == 7


async def test_what_nobody_knows_the_cost_of_is_booked_in_full(accounts: SqliteAccounts) -> None:
    admission, alice = Admission(Config(), accounts), await enter(accounts, "alice")

    async def hang() -> None:
        async with admission.admit(alice, ask(max_tokens=60)):
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await accounts.spent("alice", NOW)).tokens == 60
    assert admission.queue.free == admission.queue.capacity


async def test_what_was_reserved_for_a_run_can_be_settled_after_a_crash(
    accounts: SqliteAccounts, tmp_path: Path
) -> None:
    admission, alice = Admission(Config(), accounts), await enter(accounts, "alice")
    crashed = admission.admit(alice, ask(max_tokens=60, run="r1"))
    await crashed.__aenter__()
    assert (await accounts.spent("alice", NOW)).tokens == 60
    store = Store(tmp_path / "runs.db")
    await Admission(Config(), SqliteAccounts(store)).settle_run("r1", Bill(output_tokens=11))
    store.close()
    assert (await accounts.spent("alice", NOW)).tokens == 11
    await crashed.__aexit__(None, None, None)
    assert (await accounts.spent("alice", NOW)).tokens == 11


async def test_after_closing_nobody_is_let_in(accounts: SqliteAccounts) -> None:
    admission = Admission(Config(), accounts)
    admission.close()
    assert (await refusal(admission, None, ask())).code == "shutting_down"


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.sampled_from(["self-consistency(n=3)", "adaptive-consistency(n=5)", "short-m-at-k(m=1,k=4)", "single"]),
        st.integers(4, 40),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS, each=st.integers(1, 300), total=st.integers(1, 400), branches=st.integers(1, 6))
def test_no_schedule_of_real_runs_exceeds_a_limit(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[str, str, int]], each: int, total: int, branches: int
) -> None:
    async def play() -> None:
        store = Store(tmp_path_factory.mktemp("runs") / "runs.db")
        accounts = SqliteAccounts(store)
        config = Config(branches=branches, limits=Limits(tokens_per_day=each), total=Limits(tokens=total))
        admission = Admission(config, accounts)
        tokens = {name: await enter(accounts, name) for name in ("alice", "bob")}
        spent, codes = dict.fromkeys(tokens, 0), set[str]()
        model = Scripted(["word " * 30 + "Answer: 1", "Answer: 2", "some more words. Answer: 1"])

        async def request(name: str, strategy: str, reply: int) -> None:
            try:
                async with admission.admit(tokens[name], ask(strategy=strategy, max_tokens=reply)) as made:
                    answer = await ponder.asolve(
                        "?", strategy=strategy, model=model, max_tokens=reply, budget=replace(made.budget, seconds=None)
                    )
                    made.settle(answer.bill)
                    spent[name] += answer.bill.total_tokens
            except Refused as refused:
                codes.add(refused.code)

        await asyncio.gather(*(request(*one) for one in requests))
        assert codes <= {"insufficient_quota", "quota_reserved"}
        assert max(spent.values()) <= each
        assert sum(spent.values()) <= total
        assert (await accounts.spent(TOTAL, NOW)).tokens == sum(spent.values())
        assert admission.queue.free == branches
        store.close()

    asyncio.run(play())
