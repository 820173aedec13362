"""The file that keeps runs: what is wrong with it is one clear line."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ponder.core.errors import StoreError
from ponder.store.sqlite import VERSION, Store


def refusal(path: Path) -> str:
    """What a store at `path` complains of, in one line."""
    with pytest.raises(StoreError) as error:
        Store(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    before = path.read_bytes()
    assert f"newer version of Ponder (format {VERSION + 1}" in refusal(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes, and they are longer than the header of a database.\n" * 20)
    assert "file is not a database" in refusal(path)
    assert path.read_text().startswith("These are my notes")


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "music.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
    db.close()
    assert "is a database of something else (songs)" in refusal(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "unable to open database file" in refusal(tmp_path)


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot open the run store" in refusal(tmp_path / "file" / "runs.db")


READ_ONLY = """
import os, sys
from ponder.core.errors import StoreError
from ponder.store.sqlite import Store
if os.getuid() == 0:  # root may write anywhere
    os.setgid(65534)
    os.setuid(65534)
try:
    Store(sys.argv[1]).begin({})
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_read_only_directory_is_refused(exists: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # not below the home of whoever runs the tests
        path = Path(name) / "runs.db"
        if exists:
            Store(path).close()
        path.parent.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", READ_ONLY, path], capture_output=True, text=True, check=True)
        path.parent.chmod(0o755)
    assert len(done.stdout.splitlines()) == 1, done.stderr
    assert f"the run store {path}: " in done.stdout
    assert "set PONDER_STORE to another place" in done.stdout


def test_the_lock_of_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    with store.claim("1234"):
        assert [path.name for path in tmp_path.glob(".*.lock")] == [".runs.db.1234.lock"]
    assert list(tmp_path.glob(".*.lock")) == []
    store.close()


def test_a_new_file_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    def opened(path: Path) -> None:
        together.wait()
        Store(path).close()

    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        for number in range(25):
            list(pool.map(opened, [tmp_path / f"{number}.db"] * 8))
