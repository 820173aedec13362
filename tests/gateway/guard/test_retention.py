"""What a gateway keeps of the past, and what it says of its disk."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ponder.gateway.operations.retention import LEAST_FREE, Retention
from ponder.gateway.settings import Kept
from ponder.store.sqlite import Store

DAY = 86_400.0


class Disk(NamedTuple):
    """What `shutil.disk_usage` gives."""

    total: int
    used: int
    free: int


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "runs.db")
    yield made
    made.close()


def filled(store: Store, runs: int, status: str = "done") -> None:
    """So many runs, one a day; each has a text of 1 MB, which shrinks to about half."""
    text = "".join(f"{number * 7919 % 1_000_003:06d}" for number in range(170_000))
    for day in range(runs):
        name = store.begin({"text": text}, f"{status}-{day}")
        store.finish(name, status, {"value": "7"})
        with store.transaction() as db:
            db.execute("UPDATE runs SET created = ? WHERE id = ?", (time.time() - day * DAY, name))


def names(store: Store) -> set[str]:
    return {row.id for row in store.runs()}


def test_the_oldest_runs_go_by_age_and_by_number(store: Store) -> None:
    filled(store, 6)
    assert Retention(Kept(days=3.5, runs=3), store).look(time.time()) == 3
    assert names(store) == {"done-0", "done-1", "done-2"}


def test_so_do_those_that_fill_too_much(store: Store) -> None:
    filled(store, 4)
    Retention(Kept(gigabytes=0.0011), store).look(time.time())
    assert "done-0" in names(store)
    assert len(names(store)) < 4


def test_zero_is_no_limit(store: Store) -> None:
    filled(store, 3)
    assert Retention(Kept(days=0, runs=0, gigabytes=0), store).look(time.time() + 10_000 * DAY) == 0


def test_a_run_that_is_under_way_or_held_stays(store: Store) -> None:
    filled(store, 1, "running")
    filled(store, 1, "interrupted")
    with store.claim("interrupted-0"):
        assert Retention(Kept(days=1), store).look(time.time() + 9 * DAY) == 0
    assert Retention(Kept(days=1), store).look(time.time() + 9 * DAY) == 1
    assert names(store) == {"running-0"}


def test_the_size_is_known_after_a_look(store: Store) -> None:
    filled(store, 1)
    retention = Retention(Kept(), store)
    assert (retention.size.bytes, retention.size.free) == (None, None)
    retention.look(time.time())
    assert retention.size.bytes == store.size() > 100_000
    assert retention.size.free is not None


def test_a_disk_that_fills_up_is_told_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = [LEAST_FREE - 1, LEAST_FREE - 2, 10 * LEAST_FREE, 5]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(100 * LEAST_FREE, 0, free.pop(0)))
    retention = Retention(Kept(), store)
    told = []
    with caplog.at_level(logging.WARNING, "ponder.gateway"):
        for _ in range(4):
            retention.look(time.time())
            told.append(len(caplog.records))
    assert told == [1, 1, 1, 2]
    assert "is nearly full" in caplog.text
    assert "ponder runs prune" in caplog.text
