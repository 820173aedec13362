"""Keys, rates and budgets: kept over a restart, and never overspent, whoever else spends."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ponder.core.errors import InvalidOption, StoreError
from ponder.gateway.accounts import Grant, Shortage, Want
from ponder.gateway.accounts_sqlite import SqliteAccounts
from ponder.gateway.config import Limits
from ponder.gateway.keys import authenticate, new_key
from ponder.store.sqlite import Store

pytestmark = pytest.mark.anyio

NOON = 20_000 * 86_400 + 43_200.0
"""Seconds since 1970, in the middle of a day."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "runs.db")
    yield made
    made.close()


@pytest.fixture
def accounts(store: Store) -> SqliteAccounts:
    return SqliteAccounts(store)


def want(tokens: int, least: int | None = None, usd: float = 0.0) -> Want:
    return Want(tokens, tokens if least is None else least, usd, usd)


async def test_a_key_opens_until_it_is_revoked(accounts: SqliteAccounts) -> None:
    token, row = new_key("alice")
    await accounts.add_key(row)
    assert await authenticate(token, accounts) == "alice"
    await accounts.revoke_key("alice", NOON)
    assert await authenticate(token, accounts) is None


async def test_what_is_no_key_does_not_open(accounts: SqliteAccounts) -> None:
    token, row = new_key("alice")
    other, _ = new_key("mallory")
    await accounts.add_key(row)
    head, secret = token[:20], token[20:]
    wrong = ["", "pk-", token[:-1], token + "A", token.upper(), head + secret[::-1], other, head[:-1] + "0-" + secret]
    assert [await authenticate(one, accounts) for one in wrong] == [None] * len(wrong)


async def test_the_file_never_holds_a_secret(accounts: SqliteAccounts, store: Store, tmp_path: Path) -> None:
    token, row = new_key("alice")
    await accounts.add_key(row)
    secret = token.split("-", 2)[2].encode()
    store.close()
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())
    assert any(row.digest in file.read_bytes() for file in tmp_path.iterdir())


async def test_one_name_is_one_key_in_use(accounts: SqliteAccounts) -> None:
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


async def test_revoking_what_is_not_there_is_refused(accounts: SqliteAccounts) -> None:
    with pytest.raises(InvalidOption, match="no key 'bob' is in use"):
        await accounts.revoke_key("bob", NOON)


async def test_a_reservation_takes_what_is_left_and_settling_gives_the_rest_back(accounts: SqliteAccounts) -> None:
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


async def test_a_ticket_counts_once(accounts: SqliteAccounts) -> None:
    grant = await accounts.reserve([("alice", Limits())], want(70), NOON)
    assert isinstance(grant, Grant)
    await accounts.settle(grant.ticket, 20, 0.5)
    await accounts.settle(grant.ticket, 20, 0.5)
    spent = await accounts.spent("alice", NOON)
    assert (spent.tokens, spent.usd) == (20, 0.5)


async def test_a_new_day_begins_anew_and_a_total_does_not(accounts: SqliteAccounts) -> None:
    holders = [("alice", Limits(tokens_per_day=100, tokens=150))]
    grant = await accounts.reserve(holders, want(100), NOON)
    assert isinstance(grant, Grant)
    await accounts.settle(grant.ticket, 100, 0.0)
    assert await accounts.reserve(holders, want(100), NOON + 86_400) == Shortage("alice", "tokens", None)
    tomorrow = await accounts.reserve(holders, want(100, least=1), NOON + 86_400)
    assert isinstance(tomorrow, Grant)
    assert tomorrow.tokens == 50


async def test_what_does_not_fit_one_account_is_held_in_none(accounts: SqliteAccounts) -> None:
    holders = [("alice", Limits(usd_per_day=5)), ("", Limits(usd_per_day=1))]
    assert await accounts.reserve(holders, want(1, usd=2.0), NOON) == Shortage("", "usd_per_day", 43_200.0)
    assert (await accounts.spent("alice", NOON)).usd == 0


async def test_a_free_model_needs_no_dollars(accounts: SqliteAccounts) -> None:
    holders = [("alice", Limits(usd=0.001))]
    grant = await accounts.reserve(holders, want(1, usd=0.001), NOON)
    assert isinstance(grant, Grant)
    assert isinstance(await accounts.reserve(holders, want(1, usd=1e-9), NOON), Shortage)
    assert isinstance(await accounts.reserve(holders, want(1), NOON), Grant)


async def test_a_rate_gives_a_minute_at_once_and_then_one_by_one(accounts: SqliteAccounts) -> None:
    assert [await accounts.take_turn("alice", 3, NOON) for _ in range(5)] == [0, 0, 0, 20, 20]
    assert await accounts.take_turn("alice", 3, NOON + 5) == pytest.approx(15)
    assert await accounts.take_turn("alice", 3, NOON + 20) == 0
    assert await accounts.take_turn("bob", 3, NOON) == 0


async def test_a_clock_that_is_set_back_neither_gives_nor_hangs(accounts: SqliteAccounts) -> None:
    assert await accounts.take_turn("alice", 1, NOON) == 0
    assert await accounts.take_turn("alice", 1, NOON - 3600) == 60
    assert await accounts.take_turn("alice", 1, NOON - 3600 + 61) == 0


async def test_rates_and_budgets_survive_a_restart(tmp_path: Path) -> None:
    limits, path = Limits(tokens=100), tmp_path / "runs.db"
    store = Store(path)
    before = SqliteAccounts(store)
    await before.take_turn("alice", 1, NOON)
    await before.reserve([("alice", limits)], want(60), NOON)
    store.close()
    store = Store(path)
    after = SqliteAccounts(store)
    assert await after.take_turn("alice", 1, NOON) == 60
    grant = await after.reserve([("alice", limits)], want(60, least=1), NOON)
    assert isinstance(grant, Grant)
    assert grant.tokens == 40
    store.close()


async def test_runs_are_kept_beside_and_an_open_journal_is_no_obstacle(store: Store, accounts: SqliteAccounts) -> None:
    run = store.begin({})
    store.journal(run).note("", 0, "answer", {"a": 1}, 0.0)
    assert await accounts.take_turn("alice", 1, NOON) == 0
    assert [entry.result for entry in store.entries(run)] == [{"a": 1}]


def test_keys_of_a_newer_version_are_left_alone(store: Store) -> None:
    SqliteAccounts(store)
    with store.transaction() as db:
        db.execute("UPDATE gateway_schema SET version = 99")
    with pytest.raises(StoreError, match="written by a newer version of Ponder"):
        SqliteAccounts(store)


def test_a_file_that_cannot_be_written_is_a_store_error(store: Store) -> None:
    accounts = SqliteAccounts(store)
    with sqlite3.connect(store.path) as other:
        other.execute("DROP TABLE gateway_held")
    other.close()
    with pytest.raises(StoreError, match="cannot write the run store"):
        asyncio.run(accounts.reserve([("a", Limits())], want(1), NOON))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_order_of_reserving_and_settling_overspends(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    limits = Limits(tokens_per_day=data.draw(st.integers(1, 300)), usd=data.draw(st.floats(1e-6, 0.5)))
    total = Limits(tokens=data.draw(st.integers(1, 300)))
    path = tmp_path_factory.mktemp("accounts") / "runs.db"
    stores = [Store(path), Store(path)]
    both = [SqliteAccounts(store) for store in stores]
    under_way: list[Grant] = []

    async def play() -> None:
        for _ in range(data.draw(st.integers(1, 15))):
            one = data.draw(st.sampled_from(both))
            if under_way and data.draw(st.booleans()):
                grant = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
                share = data.draw(st.floats(0, 1))
                await one.settle(grant.ticket, int(grant.tokens * share), grant.usd * share)
            else:
                name = data.draw(st.sampled_from(["alice", "bob"]))
                asked = Want(data.draw(st.integers(1, 200)), 1, data.draw(st.floats(0, 0.3)), 0.0)
                grant_or = await one.reserve([(name, limits), ("", total)], asked, NOON)
                if isinstance(grant_or, Grant):
                    under_way.append(grant_or)
            for name in ("alice", "bob"):
                spent = await one.spent(name, NOON)
                assert spent.tokens_today <= (limits.tokens_per_day or 0)
                assert spent.usd <= (limits.usd or 0)
            assert (await one.spent("", NOON)).tokens <= (total.tokens or 0)

    asyncio.run(play())
    for store in stores:
        store.close()


SPENDER = """
import asyncio, json, random, sys
from ponder.gateway.accounts import Grant, Want
from ponder.gateway.accounts_sqlite import SqliteAccounts
from ponder.gateway.config import Limits
from ponder.store.sqlite import Store

async def spend():
    accounts, spent, rng = SqliteAccounts(Store(sys.argv[1])), 0, random.Random(int(sys.argv[2]))
    for _ in range(150):
        asked = rng.randrange(1, 90)
        grant = await accounts.reserve([("alice", Limits(tokens=5000))], Want(asked, 1, 0.0, 0.0), 1e9)
        if isinstance(grant, Grant):
            await asyncio.sleep(0)
            used = rng.randrange(grant.tokens + 1)
            await accounts.settle(grant.ticket, used, 0.0)
            spent += used
    print(json.dumps(spent))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(spend())
"""


def test_two_processes_never_overspend_one_budget_together(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    spenders = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDER, str(path), str(seed)],
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
    store = Store(path)
    booked = asyncio.run(SqliteAccounts(store).spent("alice", 1e9)).tokens
    store.close()
    assert sum(shares) == booked <= 5000
    assert min(shares) > 0
    assert booked > 4900, "both kept asking until next to nothing was left"
