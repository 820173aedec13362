"""The accounts in a place."""

from __future__ import annotations

from ponder.gateway.accounts.base import Accounts
from ponder.store.base import RunStore

__all__ = ["accounts_in"]


def accounts_in(store: RunStore) -> Accounts:
    """The accounts in a run store, for one event loop.

    Raises:
        StoreError: they were written by a newer version, or cannot be written.
    """
    from ponder.store.sqlite import Store

    if isinstance(store, Store):
        from ponder.gateway.accounts.sqlite import SqliteAccounts

        return SqliteAccounts(store)
    from ponder.gateway.accounts.postgres import PostgresAccounts
    from ponder.store.postgres.store import PostgresStore

    assert isinstance(store, PostgresStore), "there are these two"
    return PostgresAccounts(store)
