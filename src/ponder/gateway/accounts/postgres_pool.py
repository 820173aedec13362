"""Connections to PostgreSQL that the requests of one event loop take in turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from ponder.core.errors import StoreError
from ponder.store.postgres.connection import PATIENCE_OF_ONE, AsyncConnection, connect_async, is_dead
from ponder.store.postgres.url import PostgresUrl

__all__ = ["Pool"]

SIZE = 8
"""Transactions of one gateway at the same time: each takes a millisecond or two."""


class Pool:
    """Connections to the database at `url`, opened as they are needed.

    Who cannot get one is told so at once: no request waits for a database that is down.
    """

    def __init__(self, url: PostgresUrl) -> None:
        self._url = url
        self._idle: list[AsyncConnection] = []
        self._turns = asyncio.Semaphore(SIZE)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[AsyncConnection]:
        """A connection; one that has failed is not used again.

        Raises:
            StoreError: there is none to be had, or the database fails.
        """
        try:
            async with asyncio.timeout(PATIENCE_OF_ONE) as turn:
                await self._turns.acquire()
                turn.reschedule(None)
        except TimeoutError:
            raise StoreError(f"the store {self._url} is too slow for what is asked of it") from None
        try:
            connection = await self._get()
            try:
                yield connection
            except psycopg.Error:
                await connection.close()
                raise
            finally:
                if not connection.closed:
                    self._idle.append(connection)
        except psycopg.Error as error:
            raise StoreError(f"cannot use the store {self._url}: {self._url.clean(str(error))}") from None
        finally:
            self._turns.release()

    async def aclose(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            await self._idle.pop().close()

    async def _get(self) -> AsyncConnection:
        while self._idle:
            connection = self._idle.pop()
            if not is_dead(connection):
                return connection
            await connection.close()
        return await connect_async(self._url)
