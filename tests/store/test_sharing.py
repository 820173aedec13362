"""What holds of every store: several processes use it at once, and it never holds a secret."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import Any

import pytest

from ponder.api import aresume, asolve
from ponder.backends.openai import OpenAI
from ponder.backends.scripted import Scripted
from ponder.core.errors import InvalidOption, RunBusy, StoreError
from ponder.store.base import RunStore
from tests.servers.chat import ChatServer, running
from tests.servers.stores import Place, opened

BEGINS = """
import sys
from ponder.store.place import place_of
from ponder.store.opening import open_store
sys.stdin.read()  # until all are ready
print(open_store(place_of(sys.argv[1])).begin({}))
"""


def test_many_processes_may_create_one_store_at_the_same_moment(place: Place) -> None:
    command = [sys.executable, "-c", BEGINS, place.text]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, text=True, **pipes)) for _ in range(8)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        said = [(str(process.stdout and process.stdout.read()).strip(), process.wait()) for process in processes]
    assert [code for _, code in said] == [0] * 8
    with opened(place) as store:
        assert {row.id for row in store.runs()} == {run for run, _ in said}


HOLDER = """
import sys
from ponder.store.place import place_of
from ponder.store.opening import open_store
with open_store(place_of(sys.argv[1])).claim(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_work_on_one_run(place: Place, store: RunStore) -> None:
    answer = asyncio.run(asolve("?", model=Scripted(["Answer: 4"]), store=store))
    run = answer.run or ""
    store.finish(run, "interrupted", None)
    command = [sys.executable, "-c", HOLDER, place.text, run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusy, match=f"^run {run} is being worked on by another process"):
            asyncio.run(aresume(run, store, backend=Scripted(["Answer: 4"])))
        holder.kill()
    assert asyncio.run(resumed_soon(store, run)) == "4", "the lock died with it"


async def resumed_soon(store: RunStore, run: str) -> str | None:
    """The answer of a run, once a session that has just died no longer holds it."""
    while True:
        try:
            return (await aresume(run, store, backend=Scripted(["Answer: 5"]))).value
        except RunBusy:
            await asyncio.sleep(0.05)


def test_nobody_holds_a_run_twice(store: RunStore) -> None:
    with store.claim("1234"), pytest.raises(RunBusy), store.claim("1234"):
        pass
    with store.claim("1234"):
        pass


def test_what_goes_wrong_in_a_run_is_not_blamed_on_the_store(store: RunStore) -> None:
    with pytest.raises(OSError, match="the model's own trouble"), store.claim("1234"):
        raise OSError("the model's own trouble")
    with store.claim("1234"):
        pass


def test_a_run_is_found_by_the_beginning_of_its_name(store: RunStore) -> None:
    for name in ("3fa0", "3fa09", "3fb1", "a%"):
        store.begin({}, name)
    assert store.run("3fb").id == "3fb1"
    assert store.run("3fa0").id == "3fa0", "the whole name is no beginning of another"
    assert store.run("last").id == "a%"
    with pytest.raises(InvalidOption, match="several runs begin with '3f'"):
        store.run("3f")
    for unknown in ("nothing", "%", "____", "3F", "", "3fb1\0", "\ud800"):
        with pytest.raises(InvalidOption):
            store.run(unknown)
        assert store.find(unknown) is None


def test_a_name_is_given_once(store: RunStore) -> None:
    store.begin({"first": True}, "mine")
    with pytest.raises(StoreError, match="there is a run 'mine' already"):
        store.begin({}, "mine")
    row = store.find("mine")
    assert row is not None
    assert row.job == {"first": True}


def test_what_is_written_is_what_is_read(store: RunStore) -> None:
    """Every character that a model may send, and rows in the order in which they were written."""
    said = {"text": "\0 \ud800 ‘naïve’ 🎲 ? %s %(a)s \\ \" '"}
    run = store.begin(said)
    journal = store.journal(run)
    rows = [journal.intend("/", step, "call", {"n": step}, 0.5) for step in range(12)]
    journal.flush()
    for row in reversed(rows):
        journal.settle(row, {"of": rows.index(row)}, 1.5)
    journal.note("/", 12, "pick", said, 2.5)
    entries = store.entries(run)
    assert journal.broken is None
    assert [entry.intent for entry in entries[:-1]] == [{"n": step} for step in range(12)]
    assert [entry.result for entry in entries] == [*({"of": step} for step in range(12)), said]
    assert store.runs()[0].job == said


def test_a_second_life_writes_after_the_first(place: Place, store: RunStore) -> None:
    run = store.begin({})
    first = store.journal(run)
    first.intend("/", 0, "a", {}, 0.0)
    first.flush()
    with opened(place) as other:
        second = other.journal(run)
        second.note("/", 1, "b", {"x": 1}, 1.0)
        second.flush()
        assert [(entry.part, entry.result) for entry in other.entries(run)] == [("a", {"lost": True}), ("b", {"x": 1})]


def test_no_key_is_kept(place: Place, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-ponder-7Y2kQ9vX4mZ8"
    monkeypatch.setenv("OPENAI_API_KEY", key)

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
    kept = place.kept()
    assert b"test-model" in kept
    assert key.encode() not in kept
    assert b"Bearer" not in kept
