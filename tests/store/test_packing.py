"""Long texts are compressed in a file of runs, and a file from before that is read as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.backends.scripted import Scripted
from ponder.core.errors import StoreError
from ponder.store.packing import PACKED_FROM, packed, unpacked
from ponder.store.sqlite import Store

OLD = Path(__file__).parent / "stores" / "version-1.db"
"""Written before anything was compressed: a vote of three with a long question, and a short one."""


@given(st.one_of(st.text(), st.integers(), st.none(), st.text(min_size=1).map(lambda text: text * PACKED_FROM)))
def test_what_is_packed_comes_back_as_it_was(value: object) -> None:
    assert unpacked(packed(value)) == value


def test_long_prompts_take_a_part_of_their_size(tmp_path: Path) -> None:
    prompts = [" ".join(os.urandom(3).hex() for _ in range(40_000)) for _ in range(4)]
    store = Store(tmp_path / "runs.db")
    for prompt in prompts:
        answer = ponder.solve(prompt, strategy="self-consistency(n=8)", model=Scripted(["Answer: 7"]), store=store)
        assert answer.run is not None
        assert prompt in store.run(answer.run).job["messages"][0]["content"]
    store.close()
    assert (tmp_path / "runs.db").stat().st_size < 0.85 * sum(map(len, prompts))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(OLD, tmp_path / "runs.db"))


def test_a_store_of_the_first_version_is_read_and_written(old: Path) -> None:
    store = Store(old)
    runs = {row.id: row for row in store.runs()}
    assert runs.keys() == {"2f07ebb8", "f80bae9a"}
    assert runs["2f07ebb8"].answer is not None
    assert runs["2f07ebb8"].answer["value"] == "8"
    assert len(store.entries("2f07ebb8")) > 0
    ponder.solve("so " * 5_000, model=Scripted(["Answer: 3"]), strategy="single", store=store)
    assert len(store.runs()) == 3
    store.close()
    with sqlite3.connect(old) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


@pytest.mark.anyio
async def test_a_run_of_the_first_version_goes_on(old: Path) -> None:
    with sqlite3.connect(old) as db:
        db.execute("UPDATE runs SET status = 'interrupted', answer = NULL WHERE id = '2f07ebb8'")
        db.execute("DELETE FROM actions WHERE row = (SELECT max(row) FROM actions WHERE run = '2f07ebb8')")
    model = Scripted(["Answer: 7"])
    assert (await ponder.aresume("2f07ebb8", Store(old), backend=model)).value == "8"


def test_bytes_that_nobody_packed_are_an_error_of_the_store(old: Path) -> None:
    with sqlite3.connect(old) as db:
        db.execute("UPDATE runs SET job = x'0102'")
    with pytest.raises(StoreError, match="cannot read the run store"):
        Store(old).runs()
