"""Connections to PostgreSQL that never wait for long."""

from __future__ import annotations

import hashlib
import select
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

from ponder.store.postgres.url import PostgresUrl

__all__ = ["AsyncConnection", "Connection", "connect", "connect_async", "is_dead", "lock_number", "to_format"]

T = TypeVar("T")

PATIENCE = 3
"""Seconds that the server may take to connect, and for a statement for which a whole event loop stands still."""

PATIENCE_OF_ONE = 10
"""The same where only one request waits: for others that use the same account."""

DEFAULTS = {"connect_timeout": PATIENCE, "client_encoding": "UTF8", "application_name": "ponder"}

# Under another isolation a statement that waited for a lock would not see what was written meanwhile. The server
# notices within a minute when the machine at the other end is gone, and gives its locks back.
SETUP = """
SET search_path TO ponder;
SET default_transaction_isolation TO 'read committed';
SET statement_timeout TO '{patience}s';
SET idle_in_transaction_session_timeout TO '{patience}s';
SET tcp_keepalives_idle TO 20;
SET tcp_keepalives_interval TO 10;
SET tcp_keepalives_count TO 4;
"""


class Connection(psycopg.Connection[TupleRow]):
    """One that gives up when the server is silent for more than `patience` seconds; with 0 it never does."""

    patience = PATIENCE

    def wait(self, gen: PQGen[T], *options: Any, **named: Any) -> T:
        """Wait for the server, but not for ever."""
        timeout = {"timeout": self.patience + 1} if self.patience else {}
        return super().wait(gen, *options, **{**timeout, **named})


class AsyncConnection(psycopg.AsyncConnection[TupleRow]):
    """The same for an event loop."""

    async def wait(self, gen: PQGen[T], *options: Any, **named: Any) -> T:
        """Wait for the server, but not for ever."""
        return await super().wait(gen, *options, **{"timeout": PATIENCE_OF_ONE + 1, **named})


def connect(url: PostgresUrl, patience: int = PATIENCE) -> Connection:
    """A connection that commits every statement, each of which may take `patience` seconds; 0: as long as it takes.

    Raises:
        psycopg.Error: there is none to be had.
    """
    connection = Connection.connect(autocommit=True, **_parameters(url))
    connection.patience = patience
    try:
        connection.execute(SETUP.format(patience=patience))
    except BaseException:
        connection.close()
        raise
    return connection


async def connect_async(url: PostgresUrl) -> AsyncConnection:
    """The same for an event loop.

    Raises:
        psycopg.Error: there is none to be had.
    """
    connection = await AsyncConnection.connect(autocommit=True, **_parameters(url))
    try:
        await connection.execute(SETUP.format(patience=PATIENCE_OF_ONE))
    except BaseException:
        await connection.close()
        raise
    return connection


def _parameters(url: PostgresUrl) -> dict[str, Any]:
    return {**DEFAULTS, **url.parameters}


def is_dead(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """True if a connection that nobody uses has been closed, also by the server: it says nothing unasked but that."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def lock_number(kind: str, name: str) -> int:
    """The number of the advisory lock for something: 64 bits of a hash."""
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=8, person=b"ponder lock").digest()
    return int.from_bytes(digest, "big", signed=True)


def to_format(statement: str) -> str:
    """A statement with psycopg's placeholders."""
    return statement.replace("?", "%s")
