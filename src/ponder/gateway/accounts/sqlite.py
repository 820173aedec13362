"""Keys and budgets in the run store: one SQLite file, which several processes on a machine may share."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ponder.core.errors import StoreError
from ponder.gateway.accounts.sql import SqlAccounts
from ponder.store.base import Row
from ponder.store.sqlite import Store

__all__ = ["SqliteAccounts"]

VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS gateway_schema (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gateway_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    created REAL NOT NULL,           -- seconds since 1970
    revoked REAL                     -- null while it is in use
);
CREATE UNIQUE INDEX IF NOT EXISTS gateway_keys_in_use ON gateway_keys (name) WHERE revoked IS NULL;
CREATE TABLE IF NOT EXISTS gateway_spent (
    account TEXT NOT NULL,
    day INTEGER NOT NULL,            -- days since 1970, UTC
    tokens INTEGER NOT NULL,
    nano INTEGER NOT NULL,           -- billionths of a dollar
    PRIMARY KEY (account, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gateway_held (
    ticket TEXT NOT NULL,
    account TEXT NOT NULL,
    day INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    run TEXT,                        -- null for a request that passes through
    booked_tokens INTEGER NOT NULL,  -- of earlier lives of that run
    booked_nano INTEGER NOT NULL,
    PRIMARY KEY (account, ticket)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS gateway_held_ticket ON gateway_held (ticket);
CREATE INDEX IF NOT EXISTS gateway_held_run ON gateway_held (run);
CREATE TABLE IF NOT EXISTS gateway_rates (
    account TEXT PRIMARY KEY,
    level REAL NOT NULL,             -- requests that may come now
    at REAL NOT NULL                 -- when that was so
) WITHOUT ROWID;
"""


class SqliteAccounts(SqlAccounts):
    """`ponder.gateway.accounts.base.Accounts` in a run store.

    Raises:
        StoreError: the file was written by a newer version, or cannot be written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as db:
            for statement in filter(str.strip, SCHEMA.split(";\n")):
                db.execute(statement)
            row = db.execute("SELECT version FROM gateway_schema").fetchone()
            if row is None:
                db.execute("INSERT INTO gateway_schema VALUES (?)", (VERSION,))
            elif row[0] > VERSION:
                raise StoreError(
                    f"the keys in {store.path} were written by a newer version of Ponder (format {row[0]}, this one "
                    f"reads {VERSION}); update Ponder, or name another store"
                )

    async def aclose(self) -> None:
        """The store is closed by whoever has opened it."""

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[_Transaction]:
        with self._store.transaction() as db:
            yield _Transaction(db)

    async def _read(self, statement: str, *values: Any) -> list[Row]:
        with self._store.reading() as db:
            return db.execute(statement, values).fetchall()


class _Transaction:
    """See `ponder.gateway.accounts.sql.Transaction`. It never waits, so nothing else of this process comes between."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def lock(self, accounts: Sequence[str]) -> None:
        """Whoever writes has locked the whole file."""

    async def read(self, statement: str, *values: Any) -> list[Row]:
        return self._db.execute(statement, values).fetchall()

    async def write(self, statement: str, *values: Any) -> None:
        self._db.execute(statement, values)
