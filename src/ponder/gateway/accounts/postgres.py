"""Keys and budgets in a PostgreSQL database, which gateways on several machines may share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ponder.gateway.accounts.base import Grant, Shortage, Want
from ponder.gateway.accounts.postgres_pool import Pool
from ponder.gateway.accounts.sql import SqlAccounts
from ponder.gateway.settings import Limits
from ponder.store.base import Row
from ponder.store.postgres.connection import AsyncConnection, lock_number, to_format
from ponder.store.postgres.store import PostgresStore

__all__ = ["PostgresAccounts"]

T = TypeVar("T")

VERSION = 1

SCHEMA = (
    """CREATE TABLE gateway_keys (
        id text PRIMARY KEY,
        name text NOT NULL,
        digest bytea NOT NULL,
        created double precision NOT NULL,  -- seconds since 1970
        revoked double precision            -- null while it is in use
    )""",
    "CREATE UNIQUE INDEX gateway_keys_in_use ON gateway_keys (name) WHERE revoked IS NULL",
    """CREATE TABLE gateway_spent (
        account text NOT NULL,
        day integer NOT NULL,               -- days since 1970, UTC
        tokens bigint NOT NULL,
        nano bigint NOT NULL,               -- billionths of a dollar
        PRIMARY KEY (account, day)
    )""",
    """CREATE TABLE gateway_held (
        ticket text NOT NULL,
        account text NOT NULL,
        day integer NOT NULL,
        tokens bigint NOT NULL,
        nano bigint NOT NULL,
        run text,                           -- null for a request that passes through
        booked_tokens bigint NOT NULL,      -- of earlier lives of that run
        booked_nano bigint NOT NULL,
        PRIMARY KEY (account, ticket)
    )""",
    "CREATE INDEX gateway_held_ticket ON gateway_held (ticket)",
    "CREATE INDEX gateway_held_run ON gateway_held (run)",
    """CREATE TABLE gateway_rates (
        account text PRIMARY KEY,
        level double precision NOT NULL,    -- requests that may come now
        at double precision NOT NULL        -- when that was so
    )""",
)


class PostgresAccounts(SqlAccounts):
    """`ponder.gateway.accounts.base.Accounts` in a run store; lives in one event loop.

    Raises:
        StoreError: the database was written by a newer version, or cannot be written.
    """

    def __init__(self, store: PostgresStore) -> None:
        store.create("keys", VERSION, SCHEMA)
        self._pool = Pool(store.url)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """Finish what is under way, and close the connections."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._pool.aclose()

    async def take_turn(self, account: str, per_minute: int, now: float) -> float:
        """See `Accounts`."""
        return await asyncio.shield(self._start(super().take_turn(account, per_minute, now)))

    async def reserve(self, holders: Sequence[tuple[str, Limits]], want: Want, now: float) -> Grant | Shortage:
        """See `Accounts`."""
        making = self._start(super().reserve(holders, want, now))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:  # nobody will settle it
            self._start(self._give_back(making))
            raise

    async def settle(self, ticket: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        await asyncio.shield(self._start(super().settle(ticket, tokens, usd)))

    async def settle_run(self, run: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        await asyncio.shield(self._start(super().settle_run(run, tokens, usd)))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Carry out a transaction to its end, also when a client has gone: cut off, it may have been made or not."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _give_back(self, making: asyncio.Task[Grant | Shortage]) -> None:
        made = await making
        if isinstance(made, Grant):
            await super().settle(made.ticket, 0, 0.0)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[_Transaction]:
        async with self._pool.use() as db, db.pipeline():
            await db.execute("BEGIN")
            try:
                yield _Transaction(db)
            except BaseException:
                await db.execute("ROLLBACK")
                raise
            await db.execute("COMMIT")

    async def _read(self, statement: str, *values: Any) -> list[Row]:
        async with self._pool.use() as db:
            return await (await db.execute(to_format(statement), values)).fetchall()


class _Transaction:
    """See `ponder.gateway.accounts.sql.Transaction`. What gives nothing back is sent along with what comes next."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def lock(self, accounts: Sequence[str]) -> None:
        """Lock them as such, not their rows: there may be none yet.

        All do that in the same order, so that nobody waits for who waits for them. A statement sees all that was
        committed before it began: what comes after this one sees what the last holder of the lock has written.
        """
        numbers = sorted(lock_number("account", account) for account in accounts)
        if numbers:
            await self._db.execute("SELECT pg_advisory_xact_lock(one) FROM unnest(%s::bigint[]) AS one", (numbers,))

    async def read(self, statement: str, *values: Any) -> list[Row]:
        return await (await self._db.execute(to_format(statement), values)).fetchall()

    async def write(self, statement: str, *values: Any) -> None:
        await self._db.execute(to_format(statement), values)
