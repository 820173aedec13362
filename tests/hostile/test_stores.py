"""Whatever stands in a store of runs, reading and writing it is an answer or one typed error."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.backends.scripted import Scripted
from ponder.core.errors import PonderError
from ponder.store.limits import Limits
from ponder.store.sqlite import Store
from tests.hostile.seed import SEED

OLD = Path(__file__).parents[1] / "store" / "stores" / "version-1.db"

VALUES: list[Any] = [
    None, "", "{", "null", "[]", "7", '"x"', '{"value": 7}', '{"bill": null}', "{" * 5_000, "\x00", "\udfff".encode(
        "utf-8", "surrogatepass"
    ), b"\x01\x02", b"\x78\x9c", 10**18, -1, 1e308, "NaN", '{"choices": [{}]}', '{"charge": {"prompt": -5}}',
    '{"lost": 1}', '{"error": {}}', '{"value": "7", "votes": 3}',
]  # fmt: skip


COLUMNS = {
    "runs": ("status", "job", "answer", "created"),
    "actions": ("intent", "result", "at", "lane", "step", "part"),
}


def operations(store: Store) -> list[Callable[[], object]]:
    """All that may be done to a store; what each gives is used up."""
    return [
        lambda: store.runs(),
        lambda: store.running(),
        lambda: store.run("last"),
        lambda: store.run("2f"),
        lambda: store.find("2f07ebb8"),
        lambda: store.entries("2f07ebb8"),
        lambda: store.begin_again("2f07ebb8"),
        lambda: store.beyond(Limits(runs=0), time.time()),
        lambda: list(store.of_owner("alice")),
        lambda: store.begin({"text": "x"}),
        lambda: store.finish("2f07ebb8", "done", {"value": "7"}),
        lambda: ponder.solve("?", model=Scripted(["Answer: 7"]), strategy="single", store=store),
        lambda: store.size(),
        lambda: store.remove("2f07ebb8"),
        lambda: store.vacuum(),
    ]


def attacked(path: Path) -> None:
    """Try everything; only errors of Ponder's own may come."""
    with suppress(PonderError):
        store = Store(path)
        with closing(store):
            for operation in operations(store):
                with suppress(PonderError):
                    operation()


@pytest.mark.parametrize("shape", range(40))
def test_a_file_with_bytes_of_chance(shape: int, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED} bytes {shape}")
    path = tmp_path / "runs.db"
    data = bytearray(OLD.read_bytes())
    for _ in range(rng.choice((1, 3, 30, 300))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    path.write_bytes(data)
    attacked(path)


@pytest.mark.parametrize("shape", range(60))
def test_rows_with_anything_in_them(shape: int, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED} rows {shape}")
    path = Path(shutil.copy(OLD, tmp_path / "runs.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for _ in range(rng.randrange(1, 4)):
            table = rng.choice(("runs", "actions"))
            column, value = rng.choice(COLUMNS[table]), rng.choice(VALUES)
            with suppress(sqlite3.IntegrityError):
                db.execute(f"UPDATE {table} SET {column} = ?", (value,))
    attacked(path)


@pytest.mark.anyio
@pytest.mark.parametrize("shape", range(60))
async def test_a_run_whose_journal_says_anything_goes_on_or_is_refused(shape: int, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED} resume {shape}")
    path = Path(shutil.copy(OLD, tmp_path / "runs.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE runs SET status = 'interrupted', answer = NULL")
        rows = [row for (row,) in db.execute("SELECT row FROM actions WHERE run = '2f07ebb8'")]
        for row in rng.sample(rows, rng.randrange(1, len(rows) + 1)):
            column = rng.choice(("result", "result", "intent", "at", "part", "step"))
            with suppress(sqlite3.IntegrityError):
                db.execute(f"UPDATE actions SET {column} = ? WHERE row = ?", (rng.choice(VALUES), row))
    with suppress(PonderError), closing(Store(path)) as store:
        answer = await ponder.aresume("2f07ebb8", store, backend=Scripted(["Answer: 7"]))
        assert answer.bill.calls >= 0


@pytest.mark.parametrize(
    "content", [b"", b"SQLite format 3\x00", b"x" * 100_000, b"SQLite format 3\x00" + b"\xff" * 4_096], ids=len
)
def test_a_file_that_is_no_store(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(content)
    attacked(path)


@pytest.mark.parametrize("name", ["", "\x00", "\udfff", "x" * 1_000_000, "%", "' OR 1=1 --", "last\n", "🎉"])
def test_names_of_runs_that_are_none(name: str, tmp_path: Path) -> None:
    with closing(Store(shutil.copy(OLD, tmp_path / "runs.db"))) as store:
        with suppress(PonderError):
            store.run(name)
        assert store.find(name) is None
        assert list(store.of_owner(name)) == []
        assert len(store.runs()) == 2
