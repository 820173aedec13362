"""`ponder keys`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder.cli.settings.options import examples, json_option

if TYPE_CHECKING:
    from ponder.gateway.accounts.base import Accounts, KeyRow, Spent
    from ponder.store.base import RunStore

__all__ = ["add", "forget", "keys", "list_", "revoke"]

config_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The gateway's configuration, if it names a store of its own.",
)


@click.group(
    epilog=examples("ponder keys add alice", "ponder keys list", "ponder keys revoke alice"),
    invoke_without_command=True,
)
@click.pass_context
def keys(context: click.Context) -> None:
    """Give API keys for `ponder serve`, and take them back.

    From the first key on, the gateway lets nobody in without one. It need not be started again.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@keys.command(epilog=examples("ponder keys add alice", "KEY=$(ponder keys add ci)"))
@click.argument("name")
@config_option
def add(name: str, path: Path | None) -> None:
    """Make a key and show it, once; only a digest of it is kept.

    NAME is what the configuration and the logs call it.
    """
    from ponder.cli.shell import say
    from ponder.gateway.accounts.keys import new_key

    token, row = new_key(name)
    asyncio.run(_add(path, row))
    print(token)
    say(f"key {name} is in use; this is the only time that it is shown")


@keys.command(name="list", epilog=examples("ponder keys list", "ponder keys list --json | jq '.[].tokens_today'"))
@config_option
@json_option
def list_(path: Path | None, as_json: bool) -> None:
    """List the keys and what they have spent, requests under way included. Days are those of UTC."""
    from ponder.cli.terminal.table import print_table

    found = asyncio.run(_summaries(path))
    if as_json:
        print(json.dumps(found, indent=2))
    elif not found:
        print("no keys yet; `ponder keys add NAME` makes one")
    else:
        heads = ("NAME", "CREATED", "STATUS", "TOKENS TODAY", "USD TODAY", "TOKENS", "USD")
        print_table(heads, [_cells(one) for one in found])


@keys.command(epilog=examples("ponder keys revoke alice"))
@click.argument("name")
@config_option
def revoke(name: str, path: Path | None) -> None:
    """Take a key out of use, at once and for good.

    A new key of that name takes over what the old one has spent.
    """
    asyncio.run(_revoke(path, name))
    print(f"key {name} is revoked")


@keys.command(epilog=examples("ponder keys forget alice"))
@click.argument("name")
@config_option
def forget(name: str, path: Path | None) -> None:
    """Remove all that requests of a key have left in the store, for good: questions, journals and answers.

    What the key has spent stays, and so does the key itself; see revoke. The file gives the room back with
    `ponder runs vacuum`.
    """
    from ponder.cli.terminal.format import count
    from ponder.core.errors import RunBusy

    gone, busy = 0, 0
    with closing(_store(path)) as store:
        for run in store.of_owner(name):
            try:
                gone += store.remove(run)
            except RunBusy:
                busy += 1
    still = f"; {count(busy, 'run')} under way stayed, repeat the command later" if busy else ""
    print(f"removed {count(gone, 'run')} of key {name}{still}")


def _store(path: Path | None) -> RunStore:
    from ponder.gateway.config.file import store_of
    from ponder.store.opening import open_store

    return open_store(None if path is None else store_of(path))


@asynccontextmanager
async def _accounts(path: Path | None) -> AsyncIterator[Accounts]:
    from ponder.gateway.accounts.opening import accounts_in

    store = _store(path)
    try:
        async with aclosing(accounts_in(store)) as accounts:
            yield accounts
    finally:
        store.close()


async def _add(path: Path | None, row: KeyRow) -> None:
    async with _accounts(path) as accounts:
        await accounts.add_key(row)


async def _revoke(path: Path | None, name: str) -> None:
    async with _accounts(path) as accounts:
        await accounts.revoke_key(name, time.time())


async def _summaries(path: Path | None) -> list[dict[str, Any]]:
    now = time.time()
    async with _accounts(path) as accounts:
        return [_summary(row, await accounts.spent(row.name, now)) for row in await accounts.keys()]


def _summary(row: KeyRow, spent: Spent) -> dict[str, Any]:
    return {
        "name": row.name,
        "created": _when(row.created),
        "revoked": None if row.revoked is None else _when(row.revoked),
        "tokens_today": spent.tokens_today,
        "usd_today": spent.usd_today,
        "tokens": spent.tokens,
        "usd": spent.usd,
    }


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["name"],
        datetime.fromisoformat(one["created"]).strftime("%Y-%m-%d %H:%M"),
        "in use" if one["revoked"] is None else "revoked",
        f"{one['tokens_today']:,}",
        f"{one['usd_today']:.4f}",
        f"{one['tokens']:,}",
        f"{one['usd']:.4f}",
    )
