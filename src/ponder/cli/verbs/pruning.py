"""`ponder runs rm`, `prune` and `vacuum`: what is not needed any more goes, and its room comes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ponder.cli.settings.amounts import BYTES, SECONDS
from ponder.cli.settings.options import examples, run_argument

if TYPE_CHECKING:
    from ponder.store.base import RunStore
    from ponder.store.limits import Sized

__all__ = ["prune", "rm", "vacuum"]

BEGINNING = 10.0
"""Seconds after which a run that has begun is surely held by whoever works on it."""


@click.command(epilog=examples("ponder runs rm 3f9a", "ponder runs rm last"))
@run_argument(required=True, name="names", nargs=-1)
def rm(names: tuple[str, ...]) -> None:
    """Remove runs: their questions, journals and answers, for good.

    RUN is a run's id, the beginning of it, or last. If one of them is not there, or somebody works on it, none goes.
    """
    from ponder.cli.terminal.format import count
    from ponder.core.errors import RunBusy
    from ponder.store.opening import open_store

    store = open_store()
    found = list(dict.fromkeys(store.id_of(name) for name in names))
    for run in found:
        if _held(store, run):
            raise RunBusy(run)
    for run in found:
        store.remove(run)
    print(f"removed {count(len(found), 'run')}: {', '.join(found)}")


@click.command(
    epilog=examples(
        "ponder runs prune --older-than 30d",
        "ponder runs prune --keep 1000 --max-size 1GB --dry-run",
    )
)
@click.option("--older-than", "seconds", type=SECONDS, metavar="AGE", help="Remove what is older: 12h, 30d, 8w, 1y.")
@click.option("--keep", "runs", type=click.IntRange(0), metavar="N", help="Keep the newest N, remove the others.")
@click.option(
    "--max-size", "size", type=BYTES, metavar="SIZE", help="Keep the newest that take up no more: 500MB, 1GB."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune(seconds: float | None, runs: int | None, size: float | None, dry_run: bool) -> None:
    """Remove the oldest runs, for good.

    At least one limit has to be given; a run that is outside of any goes. One that somebody works on stays. What was
    interrupted or has failed goes like the others, and cannot be resumed then.
    """
    from ponder.cli.terminal.format import count, of_bytes
    from ponder.store.limits import Limits
    from ponder.store.opening import open_store

    if seconds is None and runs is None and size is None:
        raise click.UsageError("nothing says what to remove; give --older-than, --keep or --max-size")
    store, now = open_store(), time.time()
    found = store.beyond(Limits(seconds, runs, None if size is None else int(size)), now)
    gone = [run for run in found if not _going(store, run, now) and (dry_run or _removed(store, run.id))]
    if dry_run:
        for run in gone:
            print(f"{run.id}  {_day(run.created)}  {run.status}  {of_bytes(run.bytes)}")
    did = "would remove" if dry_run else "removed"
    total = of_bytes(sum(run.bytes for run in gone))
    still = f"; {count(len(found) - len(gone), 'run')} that somebody works on stayed" if len(gone) < len(found) else ""
    print(f"{did} {count(len(gone), 'run')}, {total}{still}")
    if gone and not dry_run:
        print("new runs use their room; `ponder runs vacuum` gives it back to the disk")


@click.command(epilog=examples("ponder runs vacuum"))
def vacuum() -> None:
    """Give the room of removed runs back to the disk.

    The store is written anew: it needs as much room again meanwhile, and nobody can write into it. So choose a moment
    in which no gateway works.
    """
    from ponder.cli.terminal.format import of_bytes
    from ponder.store.opening import open_store

    store = open_store()
    before = store.size()
    store.vacuum()
    print(f"{store.place}: {of_bytes(before)} before, {of_bytes(store.size())} after")


def _going(store: RunStore, run: Sized, now: float) -> bool:
    return run.status == "running" and (run.created > now - BEGINNING or _held(store, run.id))


def _held(store: RunStore, run: str) -> bool:
    from ponder.core.errors import RunBusy

    try:
        with store.claim(run):
            return False
    except RunBusy:
        return True


def _removed(store: RunStore, run: str) -> bool:
    """True unless somebody has just begun to work on it."""
    from ponder.core.errors import RunBusy

    try:
        return store.remove(run)
    except RunBusy:
        return False


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
