"""Keys and budgets in tables: what is asked of them, the same for every database."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from ponder.core.errors import InvalidOption
from ponder.gateway.accounts.base import Grant, KeyRow, Shortage, Spent, Want
from ponder.gateway.accounts.rules import DAY, NANO, Sums, nano_of, share_of, turn_of
from ponder.gateway.settings import Limits
from ponder.store.base import Row

__all__ = ["SqlAccounts", "Transaction"]

_USED = """
SELECT coalesce(sum(tokens) FILTER (WHERE day = ?), 0), coalesce(sum(nano) FILTER (WHERE day = ?), 0),
       coalesce(sum(tokens), 0), coalesce(sum(nano), 0), ? AS place
FROM {table} WHERE account = ?
"""

_HOLD = "INSERT INTO gateway_held VALUES {rows}"

_BOOK = """
INSERT INTO gateway_spent VALUES {rows} ON CONFLICT (account, day)
DO UPDATE SET tokens = gateway_spent.tokens + excluded.tokens, nano = gateway_spent.nano + excluded.nano
"""

_RATE = """
INSERT INTO gateway_rates VALUES (?, ?, ?) ON CONFLICT (account) DO UPDATE SET level = excluded.level, at = excluded.at
"""


class Transaction(Protocol):
    """A transaction under way. SQL has ``?`` for the values that follow it."""

    async def lock(self, accounts: Sequence[str]) -> None:
        """Keep others out of these accounts until the transaction ends."""
        ...

    async def read(self, statement: str, *values: Any) -> list[Row]:
        """What a statement finds, or what it says that it has changed."""
        ...

    async def write(self, statement: str, *values: Any) -> None:
        """Change something."""
        ...


class SqlAccounts(ABC):
    """`ponder.gateway.accounts.base.Accounts` in tables.

    A reservation whose process died stays until somebody settles it.
    """

    @abstractmethod
    def _transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits what is done in it, or nothing of it if that raises."""

    @abstractmethod
    async def _read(self, statement: str, *values: Any) -> list[Row]:
        """What a statement finds."""

    async def add_key(self, row: KeyRow) -> None:
        """See `Accounts`."""
        async with self._transaction() as transaction:
            await transaction.lock([f"key {row.name}"])
            if await transaction.read("SELECT 1 FROM gateway_keys WHERE name = ? AND revoked IS NULL", row.name):
                raise InvalidOption(f"there is a key {row.name!r} already; revoke it first, or give another name")
            values = (row.id, row.name, row.digest, row.created, row.revoked)
            await transaction.write("INSERT INTO gateway_keys VALUES (?, ?, ?, ?, ?)", *values)

    async def revoke_key(self, name: str, now: float) -> None:
        """See `Accounts`."""
        statement = "UPDATE gateway_keys SET revoked = ? WHERE name = ? AND revoked IS NULL RETURNING id"
        async with self._transaction() as transaction:
            if not await transaction.read(statement, now, name):
                raise InvalidOption(f"no key {name!r} is in use; `ponder keys list` names them")

    async def keys(self) -> list[KeyRow]:
        """See `Accounts`."""
        return [KeyRow(*row) for row in await self._read("SELECT * FROM gateway_keys ORDER BY created")]

    async def key(self, id: str) -> KeyRow | None:
        """See `Accounts`."""
        found = await self._read("SELECT * FROM gateway_keys WHERE id = ?", id)
        return KeyRow(*found[0]) if found else None

    async def take_turn(self, account: str, per_minute: int, now: float) -> float:
        """See `Accounts`."""
        async with self._transaction() as transaction:
            await transaction.lock([account])
            found = await transaction.read("SELECT level, at FROM gateway_rates WHERE account = ?", account)
            level, at = found[0] if found else (per_minute, now)
            level, at, wait = turn_of(level, at, per_minute, now)
            await transaction.write(_RATE, account, level, at)
        return wait

    async def reserve(self, holders: Sequence[tuple[str, Limits]], want: Want, now: float) -> Grant | Shortage:
        """See `Accounts`."""
        day, ticket = int(now // DAY), secrets.token_hex(16)
        limited = [(account, limits) for account, limits in holders if limits != Limits()]
        async with self._transaction() as transaction:
            accounts = [account for account, _ in limited]
            await transaction.lock(accounts)
            share = share_of(want, limited, await _used(transaction.read, accounts, day) if limited else [], now)
            if isinstance(share, Shortage):
                return share
            tokens, nano = share
            run = (want.run, want.booked_tokens, nano_of(want.booked_usd))
            rows = [(ticket, account, day, tokens, nano, *run) for account, _ in holders]
            await transaction.write(*_with_rows(_HOLD, rows))
        return Grant(ticket, tokens, nano / NANO)

    async def settle(self, ticket: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        async with self._transaction() as transaction:
            held = await transaction.read("DELETE FROM gateway_held WHERE ticket = ? RETURNING account, day", ticket)
            await _book(transaction, [(account, day, tokens, nano_of(usd)) for account, day in held])

    async def held_runs(self) -> list[str]:
        """See `Accounts`."""
        return [run for (run,) in await self._read("SELECT DISTINCT run FROM gateway_held WHERE run IS NOT NULL")]

    async def settle_run(self, run: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        statement = "DELETE FROM gateway_held WHERE run = ? RETURNING account, day, booked_tokens, booked_nano"
        async with self._transaction() as transaction:
            held = await transaction.read(statement, run)
            await _book(
                transaction,
                [(account, day, tokens - before, nano_of(usd) - nano) for account, day, before, nano in held],
            )

    async def spent(self, account: str, now: float) -> Spent:
        """See `Accounts`."""
        [(spent, held)] = await _used(self._read, [account], int(now // DAY))
        both = Sums(*(one + other for one, other in zip(spent, held, strict=True)))
        return Spent(both.tokens_per_day, both.usd_per_day / NANO, both.tokens, both.usd / NANO)


async def _used(
    read: Callable[..., Awaitable[list[Row]]], accounts: Sequence[str], day: int
) -> list[tuple[Sums, Sums]]:
    """What is spent and what is held in each account.

    It is one statement, so that it sees every reservation either held or spent: between two it could be in neither.
    """
    tables = [_USED.format(table=table) for table in ("gateway_spent", "gateway_held")] * len(accounts)
    values = [
        (day, day, place, account) for place, account in enumerate(one for account in accounts for one in [account] * 2)
    ]
    found = await read(f"{' UNION ALL '.join(tables)} ORDER BY place", *(value for row in values for value in row))
    sums = [Sums(*map(int, row[:-1])) for row in found]
    return list(zip(sums[::2], sums[1::2], strict=True))


async def _book(transaction: Transaction, rows: list[Row]) -> None:
    """Add to what is spent; in one order everywhere, so that nobody waits for who waits for them."""
    if rows:
        await transaction.write(*_with_rows(_BOOK, sorted(rows)))


def _with_rows(statement: str, rows: Sequence[Row]) -> tuple[Any, ...]:
    """A statement for several rows, and their values."""
    places = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
    return (statement.format(rows=places), *(value for row in rows for value in row))
