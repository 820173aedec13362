"""Keys, rates and budgets: kept over a restart, and never overspent, whoever else spends."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ponder.core.errors import InvalidOption, StoreError
from ponder.gateway.accounts.base import Accounts, Grant, Shortage, Want
from ponder.gateway.accounts.keys import authenticate, new_key
from ponder.gateway.accounts.opening import accounts_in
from ponder.gateway.accounts.rules import NANO, nano_of
from ponder.gateway.settings import Limits
from ponder.store.base import RunStore
from tests.servers.stores import KINDS, Place, make_place, opened

pytestmark = pytest.mark.anyio

NOON = 20_000 * 86_400 + 43_200.0
"""Seconds since 1970, in the middle of a day."""


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return make_place(request, tmp_path)


@pytest.fixture
def store(place: Place) -> Iterator[RunStore]:
    with opened(place) as made:
        yield made


@pytest.fixture
async def accounts(store: RunStore) -> AsyncIterator[Accounts]:
    async with aclosing(accounts_in(store)) as made:
        yield made


def want(tokens: int, least: int | None = None, usd: float = 0.0) -> Want:
    return Want(tokens, tokens if least is None else least, usd, usd)


async def test_a_key_opens_until_it_is_revoked(accounts: Accounts) -> None:
    token, row = new_key("alice")
    await accounts.add_key(row)
    assert await authenticate(token, accounts) == "alice"
    await accounts.revoke_key("alice", NOON)
    assert await authenticate(token, accounts) is None


async def test_what_is_no_key_does_not_open(accounts: Accounts) -> None:
    token, row = new_key("alice")
    other, _ = new_key("mallory")
    await accounts.add_key(row)
    head, secret = token[:20], token[20:]
    wrong = ["", "pk-", token[:-1], token + "A", token.upper(), head + secret[::-1], other, head[:-1] + "0-" + secret]
    assert [await authenticate(one, accounts) for one in wrong] == [None] * len(wrong)


async def test_no_secret_is_kept(accounts: Accounts, place: Place) -> None:
    token, row = new_key("alice")
    await accounts.add_key(row)
    kept = place.kept()
    assert row.id.encode() in kept
    assert token.split("-", 2)[2].encode() not in kept


async def test_one_name_is_one_key_in_use(accounts: Accounts) -> None:
    await accounts.add_key(new_key("alice")[1])
    with pytest.raises(InvalidOption, match="there is a key 'alice' already"):
        await accounts.add_key(new_key("alice")[1])
    await accounts.revoke_key("alice", NOON)
    await accounts.add_key(new_key("alice")[1])
    assert [(row.name, row.revoked) for row in await accounts.keys()] == [("alice", NOON), ("alice", None)]


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "-a", "anonymous", "a\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption, match=r"key name|no key may be called anonymous"):
        new_key(name)


async def test_revoking_what_is_not_there_is_refused(accounts: Accounts) -> None:
    with pytest.raises(InvalidOption, match="no key 'bob' is in use"):
        await accounts.revoke_key("bob", NOON)


async def test_a_reservation_takes_what_is_left_and_settling_gives_the_rest_back(accounts: Accounts) -> None:
    holders = [("alice", Limits(tokens_per_day=100))]
    first = await accounts.reserve(holders, want(70), NOON)
    second = await accounts.reserve(holders, want(70, least=10), NOON)
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    assert (first.tokens, second.tokens) == (70, 30)
    assert await accounts.reserve(holders, want(1), NOON) == Shortage("alice", "tokens_per_day", 43_200.0, held=True)
    await accounts.settle(first.ticket, 20, 0.0)
    again = await accounts.reserve(holders, want(50), NOON)
    assert isinstance(again, Grant)


async def test_a_ticket_counts_once(accounts: Accounts) -> None:
    grant = await accounts.reserve([("alice", Limits())], want(70), NOON)
    assert isinstance(grant, Grant)
    await accounts.settle(grant.ticket, 20, 0.5)
    await accounts.settle(grant.ticket, 20, 0.5)
    spent = await accounts.spent("alice", NOON)
    assert (spent.tokens, spent.usd) == (20, 0.5)


async def test_a_new_day_begins_anew_and_a_total_does_not(accounts: Accounts) -> None:
    holders = [("alice", Limits(tokens_per_day=100, tokens=150))]
    grant = await accounts.reserve(holders, want(100), NOON)
    assert isinstance(grant, Grant)
    await accounts.settle(grant.ticket, 100, 0.0)
    assert await accounts.reserve(holders, want(100), NOON + 86_400) == Shortage("alice", "tokens", None)
    tomorrow = await accounts.reserve(holders, want(100, least=1), NOON + 86_400)
    assert isinstance(tomorrow, Grant)
    assert tomorrow.tokens == 50


async def test_what_does_not_fit_one_account_is_held_in_none(accounts: Accounts) -> None:
    holders = [("alice", Limits(usd_per_day=5)), ("", Limits(usd_per_day=1))]
    assert await accounts.reserve(holders, want(1, usd=2.0), NOON) == Shortage("", "usd_per_day", 43_200.0)
    assert (await accounts.spent("alice", NOON)).usd == 0


async def test_a_free_model_needs_no_dollars(accounts: Accounts) -> None:
    holders = [("alice", Limits(usd=0.001))]
    grant = await accounts.reserve(holders, want(1, usd=0.001), NOON)
    assert isinstance(grant, Grant)
    assert isinstance(await accounts.reserve(holders, want(1, usd=1e-9), NOON), Shortage)
    assert isinstance(await accounts.reserve(holders, want(1), NOON), Grant)


async def test_a_rate_gives_a_minute_at_once_and_then_one_by_one(accounts: Accounts) -> None:
    assert [await accounts.take_turn("alice", 3, NOON) for _ in range(5)] == [0, 0, 0, 20, 20]
    assert await accounts.take_turn("alice", 3, NOON + 5) == pytest.approx(15)
    assert await accounts.take_turn("alice", 3, NOON + 20) == 0
    assert await accounts.take_turn("bob", 3, NOON) == 0


async def test_a_clock_that_is_set_back_neither_gives_nor_hangs(accounts: Accounts) -> None:
    assert await accounts.take_turn("alice", 1, NOON) == 0
    assert await accounts.take_turn("alice", 1, NOON - 3600) == 60
    assert await accounts.take_turn("alice", 1, NOON - 3600 + 61) == 0


async def test_rates_and_budgets_survive_a_restart(place: Place) -> None:
    limits = Limits(tokens=100)
    with opened(place) as store:
        async with aclosing(accounts_in(store)) as before:
            await before.take_turn("alice", 1, NOON)
            await before.reserve([("alice", limits)], want(60), NOON)
    with opened(place) as store:
        async with aclosing(accounts_in(store)) as after:
            assert await after.take_turn("alice", 1, NOON) == 60
            grant = await after.reserve([("alice", limits)], want(60, least=1), NOON)
    assert isinstance(grant, Grant)
    assert grant.tokens == 40


async def test_clocks_that_differ_give_no_more_than_the_rate(accounts: Accounts) -> None:
    """Two gateways, one of them ten seconds behind: time does not pass again for it."""
    turns = [await accounts.take_turn("alice", 6, NOON + second - 10 * (second % 2)) for second in range(60)]
    assert turns.count(0) == 6 + 5, "six at once, and then one every ten seconds"


async def test_what_is_left_of_a_dead_run_is_settled_less_what_was_booked(accounts: Accounts) -> None:
    holders = [("alice", Limits(tokens=100)), ("", Limits())]
    await accounts.reserve(holders, Want(60, 1, 0.5, 0.0, run="r1", booked_tokens=10, booked_usd=0.1), NOON)
    await accounts.reserve(holders, want(5), NOON)
    assert await accounts.held_runs() == ["r1"]
    await accounts.settle_run("r1", 25, 0.3)
    assert await accounts.held_runs() == []
    for account in ("alice", ""):
        spent = await accounts.spent(account, NOON)
        assert (spent.tokens, spent.usd) == (25 - 10 + 5, pytest.approx(0.2))


async def test_runs_are_kept_beside_and_an_open_journal_is_no_obstacle(store: RunStore, accounts: Accounts) -> None:
    run = store.begin({})
    store.journal(run).note("", 0, "answer", {"a": 1}, 0.0)
    assert await accounts.take_turn("alice", 1, NOON) == 0
    assert [entry.result for entry in store.entries(run)] == [{"a": 1}]


async def test_keys_of_a_newer_version_are_left_alone(accounts: Accounts, store: RunStore, place: Place) -> None:
    versions = "gateway_schema" if "postgresql" not in place.text else "formats"
    place.execute(f"UPDATE {versions} SET version = 99")
    with pytest.raises(StoreError, match="written by a newer version of Ponder"):
        accounts_in(store)


async def test_a_place_that_cannot_be_written_is_a_store_error(accounts: Accounts, place: Place) -> None:
    place.execute("DROP TABLE gateway_held")
    with pytest.raises(StoreError, match=r"^cannot .*store.*gateway_held") as error:
        await accounts.reserve([("a", Limits())], want(1), NOON)
    assert "\n" not in str(error.value)
    assert await accounts.take_turn("a", 1, NOON) == 0, "the rest still works"


@pytest.fixture
def stores(place: Place) -> Iterator[list[RunStore]]:
    """Two processes have one each."""
    with ExitStack() as stack:
        yield [stack.enter_context(opened(place)) for _ in range(2)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_order_of_reserving_and_settling_overspends(stores: list[RunStore], data: st.DataObject) -> None:
    alice, bob, everybody = (f"{name}-{secrets.token_hex(4)}" for name in ("alice", "bob", "all"))
    limits = Limits(tokens_per_day=data.draw(st.integers(1, 300)), usd=data.draw(st.floats(1e-6, 0.5)))
    total = Limits(tokens=data.draw(st.integers(1, 300)))
    under_way: list[Grant] = []

    async def play(both: list[Accounts]) -> None:
        for _ in range(data.draw(st.integers(1, 15))):
            one = data.draw(st.sampled_from(both))
            if under_way and data.draw(st.booleans()):
                grant = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
                share = data.draw(st.floats(0, 1))
                await one.settle(grant.ticket, int(grant.tokens * share), grant.usd * share)
            else:
                name = data.draw(st.sampled_from([alice, bob]))
                asked = Want(data.draw(st.integers(1, 200)), 1, data.draw(st.floats(0, 0.3)), 0.0)
                grant_or = await one.reserve([(name, limits), (everybody, total)], asked, NOON)
                if isinstance(grant_or, Grant):
                    under_way.append(grant_or)
            for name in (alice, bob):
                spent = await one.spent(name, NOON)
                assert spent.tokens_today <= (limits.tokens_per_day or 0)
                assert spent.usd <= (limits.usd or 0)
            assert (await one.spent(everybody, NOON)).tokens <= (total.tokens or 0)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await play([await stack.enter_async_context(aclosing(accounts_in(store))) for store in stores])

    asyncio.run(main())


@given(st.integers(0, 10**15), st.floats(0, 1))
@example(999, 1.0)
def test_a_part_of_what_was_reserved_is_never_more_than_that(nano: int, share: float) -> None:
    assert nano_of(nano / NANO) == nano
    assert nano / NANO * share <= nano_of(nano / NANO * share) / NANO
    assert nano_of(nano / NANO * share) <= nano


SPENDER = """
import asyncio, json, random, sys
from ponder.gateway.accounts.base import Grant, Want
from ponder.gateway.accounts.opening import accounts_in
from ponder.gateway.settings import Limits
from ponder.store.place import place_of
from ponder.store.opening import open_store

HOLDERS = [("alice", Limits(tokens=5000)), ("*", Limits(tokens_per_day=5000))]

async def spend(accounts, rng):
    spent = 0
    for _ in range(40):
        grant = await accounts.reserve(rng.sample(HOLDERS, 2), Want(rng.randrange(1, 90), 1, 0.0, 0.0), 1e9)
        if isinstance(grant, Grant):
            await asyncio.sleep(0)
            used = rng.randrange(grant.tokens + 1)
            await accounts.settle(grant.ticket, used, 0.0)
            spent += used
    return spent

async def main(store, rng):
    accounts = accounts_in(store)
    shares = await asyncio.gather(*(spend(accounts, rng) for _ in range(4)))
    await accounts.aclose()
    print(json.dumps(sum(shares)))

store = open_store(place_of(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main(store, random.Random(int(sys.argv[2]))))
store.close()
"""


def test_two_processes_never_overspend_one_budget_together(place: Place) -> None:
    """Each makes several requests at once, and names the accounts in any order."""
    spenders = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDER, place.text, str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdin is not None
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("go\n")
        spender.stdin.flush()
    shares = [json.loads(spender.communicate(timeout=60)[0]) for spender in spenders]
    assert [spender.returncode for spender in spenders] == [0, 0]
    with opened(place) as store:
        booked = asyncio.run(tokens_of(store, "alice"))
        assert sum(shares) == booked == asyncio.run(tokens_of(store, "*")) <= 5000
    assert min(shares) > 0
    assert booked > 4900, "both kept asking until next to nothing was left"


async def tokens_of(store: RunStore, account: str) -> int:
    async with aclosing(accounts_in(store)) as accounts:
        return (await accounts.spent(account, 1e9)).tokens
