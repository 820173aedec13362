"""Keys and budgets in the run store: one SQLite file, which several processes on a machine may share."""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections.abc import Iterator, Sequence

from ponder.core.errors import InvalidOption, StoreError
from ponder.gateway.accounts import Grant, KeyRow, Shortage, Spent, Want
from ponder.gateway.config import Limits
from ponder.store.sqlite import Store

__all__ = ["SqliteAccounts"]

VERSION = 1

NANO = 10**9
"""Money is kept in whole billionths of a dollar: a sum of fractions drifts."""

DAY = 86_400

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

USED = """
SELECT coalesce(sum(tokens) FILTER (WHERE day = :day), 0), coalesce(sum(nano) FILTER (WHERE day = :day), 0),
       coalesce(sum(tokens), 0), coalesce(sum(nano), 0)
FROM {table} WHERE account = :account
"""

BOOK = """
INSERT INTO gateway_spent VALUES (?, ?, ?, ?) ON CONFLICT (account, day)
DO UPDATE SET tokens = tokens + excluded.tokens, nano = nano + excluded.nano
"""

Sums = tuple[int, int, int, int]
"""Tokens and billionths of a dollar: those of a day, then all."""


class SqliteAccounts:
    """`ponder.gateway.accounts.Accounts` in a run store.

    A reservation whose process died stays until somebody settles it.

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

    async def add_key(self, row: KeyRow) -> None:
        """See `Accounts`."""
        with self._store.transaction() as db:
            if db.execute("SELECT 1 FROM gateway_keys WHERE name = ? AND revoked IS NULL", (row.name,)).fetchone():
                raise InvalidOption(f"there is a key {row.name!r} already; revoke it first, or give another name")
            values = (row.id, row.name, row.digest, row.created, row.revoked)
            db.execute("INSERT INTO gateway_keys VALUES (?, ?, ?, ?, ?)", values)

    async def revoke_key(self, name: str, now: float) -> None:
        """See `Accounts`."""
        with self._store.transaction() as db:
            done = db.execute("UPDATE gateway_keys SET revoked = ? WHERE name = ? AND revoked IS NULL", (now, name))
            if done.rowcount == 0:
                raise InvalidOption(f"no key {name!r} is in use; `ponder keys list` names them")

    async def keys(self) -> list[KeyRow]:
        """See `Accounts`."""
        with self._store.reading() as db:
            return [KeyRow(*row) for row in db.execute("SELECT * FROM gateway_keys ORDER BY created")]

    async def key(self, id: str) -> KeyRow | None:
        """See `Accounts`."""
        with self._store.reading() as db:
            row = db.execute("SELECT * FROM gateway_keys WHERE id = ?", (id,)).fetchone()
        return None if row is None else KeyRow(*row)

    async def take_turn(self, account: str, per_minute: int, now: float) -> float:
        """See `Accounts`. A bucket that holds `per_minute` requests and fills up in a minute."""
        with self._store.transaction() as db:
            level, at = db.execute("SELECT level, at FROM gateway_rates WHERE account = ?", (account,)).fetchone() or (
                per_minute,
                now,
            )
            # A clock that was set back gives nothing, and takes nothing.
            level = min(per_minute, level + max(0.0, now - at) * per_minute / 60)
            wait = max(0.0, (1 - level) * 60 / per_minute)
            left = level - 1 if level >= 1 else level
            db.execute("REPLACE INTO gateway_rates VALUES (?, ?, ?)", (account, left, now))
            return wait

    async def reserve(self, holders: Sequence[tuple[str, Limits]], want: Want, now: float) -> Grant | Shortage:
        """See `Accounts`."""
        day, ticket = int(now // DAY), secrets.token_hex(16)
        tokens, nano = want.tokens, _nano(want.usd)
        with self._store.transaction() as db:
            for account, limits in holders:
                for limit, left, unspent in _left(db, account, limits, day):
                    money = limit.startswith("usd")
                    least = _nano(want.least_usd) if money else want.least_tokens
                    if left < least:
                        tomorrow = DAY - now % DAY if limit.endswith("_per_day") else None
                        return Shortage(account, limit, tomorrow, least <= unspent)
                    tokens, nano = (tokens, min(nano, left)) if money else (min(tokens, left), nano)
            db.executemany(
                "INSERT INTO gateway_held VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (ticket, account, day, tokens, nano, want.run, want.booked_tokens, _nano(want.booked_usd))
                    for account, _ in holders
                ],
            )
        return Grant(ticket, tokens, nano / NANO)

    async def settle(self, ticket: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        with self._store.transaction() as db:
            held = db.execute("DELETE FROM gateway_held WHERE ticket = ? RETURNING account, day", (ticket,)).fetchall()
            db.executemany(BOOK, [(account, day, tokens, _nano(usd)) for account, day in held])

    async def held_runs(self) -> list[str]:
        """See `Accounts`."""
        with self._store.reading() as db:
            return [run for (run,) in db.execute("SELECT DISTINCT run FROM gateway_held WHERE run IS NOT NULL")]

    async def settle_run(self, run: str, tokens: int, usd: float) -> None:
        """See `Accounts`."""
        with self._store.transaction() as db:
            held = db.execute(
                "DELETE FROM gateway_held WHERE run = ? RETURNING account, day, booked_tokens, booked_nano", (run,)
            ).fetchall()
            db.executemany(
                BOOK, [(account, day, tokens - before, _nano(usd) - nano) for account, day, before, nano in held]
            )

    async def spent(self, account: str, now: float) -> Spent:
        """See `Accounts`."""
        with self._store.reading() as db:
            used = (_used(db, table, account, int(now // DAY)) for table in ("gateway_spent", "gateway_held"))
            today, nano_today, tokens, nano = (sum(amounts) for amounts in zip(*used, strict=True))
        return Spent(today, nano_today / NANO, tokens, nano / NANO)


def _used(db: sqlite3.Connection, table: str, account: str, day: int) -> Sums:
    sums: Sums = db.execute(USED.format(table=table), {"account": account, "day": day}).fetchone()
    return sums


def _left(db: sqlite3.Connection, account: str, limits: Limits, day: int) -> Iterator[tuple[str, int, int]]:
    """The limits that are set, what is left of them, and what would be if nothing were held."""
    if limits == Limits():
        return
    names = ("tokens_per_day", "usd_per_day", "tokens", "usd")
    sums = (_used(db, table, account, day) for table in ("gateway_spent", "gateway_held"))
    for name, spent, held in zip(names, *sums, strict=True):
        limit = getattr(limits, name)
        if limit is not None:
            whole = math.floor(limit * NANO) if name.startswith("usd") else limit
            yield name, max(0, whole - spent - held), whole - spent


def _nano(usd: float) -> int:
    return math.ceil(usd * NANO)
