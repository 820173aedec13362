"""Keys and budgets in tables: what is asked of them, the same for every database."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from ponder.core.errors import InvalidOption
from ponder.gateway.accounts import Grant, KeyRow, Shortage, Spent, Want
from ponder.gateway.accounts_rules import DAY, NANO, Sums, nano_of, share_of, turn_of
from ponder.gateway.config import Limits
from ponder.store.base import Row

__all__ = ["SqlAccounts", "Transaction"]

# One statement, so that it sees a reservation either held or spent: between two it could be in neither.
_USED = """
SELECT coalesce(sum(tokens) FILTER (WHERE day = ?), 0), coalesce(sum(nano) FILTER (WHERE day = ?), 0),
       coalesce(sum(tokens), 0), coalesce(sum(nano), 0), 0 AS held
FROM gateway_spent WHERE account = ?
UNION ALL
SELECT coalesce(sum(tokens) FILTER (WHERE day = ?), 0), coalesce(sum(nano) FILTER (WHERE day = ?), 0),
       coalesce(sum(tokens), 0), coalesce(sum(nano), 0), 1 AS held
FROM gateway_held WHERE account = ?
ORDER BY held
"""

_BOOK = """
INSERT INTO gateway_spent VALUES (?, ?, ?, ?) ON CONFLICT (account, day)
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
    """`ponder.gateway.accounts.Accounts` in tables.

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
            await transaction.lock([account for account, _ in limited])
            sums = [_sums(await transaction.read(*_used(account, day))) for account, _ in limited]
            share = share_of(want, limited, [spent for spent, _ in sums], [held for _, held in sums], now)
            if isinstance(share, Shortage):
                return share
            tokens, nano = share
            run = (want.run, want.booked_tokens, nano_of(want.booked_usd))
            for account, _ in holders:
                values = (ticket, account, day, tokens, nano, *run)
                await transaction.write("INSERT INTO gateway_held VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)
        return Grant(ticket, tokens, nano / NANO)

    async def settle(self, ticket: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        async with self._transaction() as transaction:
            held = await transaction.read("DELETE FROM gateway_held WHERE ticket = ? RETURNING account, day", ticket)
            for account, day in sorted(held):  # in one order everywhere: nobody waits for who waits for them
                await transaction.write(_BOOK, account, day, tokens, nano_of(usd))

    async def held_runs(self) -> list[str]:
        """See `Accounts`."""
        return [run for (run,) in await self._read("SELECT DISTINCT run FROM gateway_held WHERE run IS NOT NULL")]

    async def settle_run(self, run: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        statement = "DELETE FROM gateway_held WHERE run = ? RETURNING account, day, booked_tokens, booked_nano"
        async with self._transaction() as transaction:
            for account, day, before, nano in sorted(await transaction.read(statement, run)):
                await transaction.write(_BOOK, account, day, tokens - before, nano_of(usd) - nano)

    async def spent(self, account: str, now: float) -> Spent:
        """See `Accounts`."""
        spent, held = _sums(await self._read(*_used(account, int(now // DAY))))
        both = Sums(*(one + other for one, other in zip(spent, held, strict=True)))
        return Spent(both.tokens_per_day, both.usd_per_day / NANO, both.tokens, both.usd / NANO)


def _used(account: str, day: int) -> tuple[Any, ...]:
    return (_USED, *(day, day, account) * 2)


def _sums(rows: list[Row]) -> tuple[Sums, Sums]:
    """What is spent, and what is held."""
    spent, held = (Sums(*map(int, row[:4])) for row in rows)
    return spent, held
