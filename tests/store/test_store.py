"""The file that keeps runs: what is wrong with it is one clear line, and it never holds a secret."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ponder.api import aresume, asolve
from ponder.backends.openai import OpenAI
from ponder.backends.scripted import Scripted
from ponder.core.errors import InvalidOption, StoreError
from ponder.store.sqlite import VERSION, Store
from tests.servers.chat import ChatServer, running


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


BEGINS = """
import sys
from ponder.store.sqlite import Store
sys.stdin.read()  # until all are ready
print(Store(sys.argv[1]).begin({}))
"""


def test_many_processes_may_create_one_store_at_the_same_moment(tmp_path: Path) -> None:
    path = tmp_path / "new" / "runs.db"
    command = [sys.executable, "-c", BEGINS, str(path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, text=True, **pipes)) for _ in range(8)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        said = [(str(process.stdout and process.stdout.read()).strip(), process.wait()) for process in processes]
    assert [code for _, code in said] == [0] * 8
    store = Store(path)
    assert {row.id for row in store.runs()} == {run for run, _ in said}
    store.close()


HOLDER = """
import sys
from ponder.store.sqlite import Store
with Store(sys.argv[1]).claim(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = Store(path)
    answer = asyncio.run(asolve("?", model=Scripted(["Answer: 4"]), store=store))
    run = answer.run or ""
    store.finish(run, "interrupted", None)
    command = [sys.executable, "-c", HOLDER, str(path), run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"^run {run} is being worked on by another process"):
            asyncio.run(aresume(run, store, backend=Scripted(["Answer: 4"])))
        holder.kill()
    assert asyncio.run(aresume(run, store, backend=Scripted(["Answer: 5"]))).value == "4", "the lock died with it"
    store.close()


def test_what_goes_wrong_in_a_run_is_not_blamed_on_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    with pytest.raises(OSError, match="the model's own trouble"), store.claim("1234"):
        raise OSError("the model's own trouble")
    assert [path.name for path in tmp_path.glob(".*.lock")] == []
    store.close()


def test_a_run_is_found_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    first, second = store.begin({}), store.begin({})
    assert store.run(first[:7]).id == first or first[:7] == second[:7]
    assert store.run("last").id == second
    for unknown in ("nothing", "%", "_______"):
        with pytest.raises(InvalidOption):
            store.run(unknown)
    store.close()


def test_no_key_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-ponder-7Y2kQ9vX4mZ8"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    store = Store(tmp_path / "runs.db")

    async def main(url: str) -> Any:
        backend = OpenAI(url, "test-model", server="vllm")
        try:
            return await asolve("?", model=backend, strategy="self-consistency(n=3)", store=store)
        finally:
            await backend.aclose()

    with running(ChatServer()) as server:
        asyncio.run(main(server.url))
        assert server.headers[0]["Authorization"] == f"Bearer {key}", "the key was in use"
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"test-model" in kept
    assert key.encode() not in kept
    assert b"Bearer" not in kept
