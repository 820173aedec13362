"""A run whose journal cannot be written any more still answers, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import asyncio, json, resource, sys
from ponder.api import asolve
from ponder.backends.scripted import Scripted
from ponder.store.sqlite import Store

path, kilobytes, calls_before = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = Store(path)

def fill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, resource.RLIM_INFINITY))

def says(request, index):
    if model.calls == calls_before:
        fill()
    return "word " * 500 + "Answer: 4"

if calls_before == 0:
    fill()
model = Scripted(says)
answer = asyncio.run(asolve("?", strategy="adaptive-consistency(n=30,threshold=1)", model=model, store=store))
print(json.dumps(answer.as_dict()))
"""


def run(path: Path, kilobytes: int, calls_before: int) -> subprocess.CompletedProcess[str]:
    """A run on a disk that has no room beyond so many kilobytes after so many calls."""
    command = [sys.executable, "-c", RUN, str(path), str(kilobytes), str(calls_before)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kilobytes", [1, 40, 70])
def test_a_disk_that_fills_up_does_not_cost_the_answer(tmp_path: Path, kilobytes: int) -> None:
    done = run(tmp_path / "runs.db", kilobytes, 4)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["value"] == "4"
    assert answer["bill"]["calls"] == 30
    assert any("the journal stopped, this run cannot be resumed" in note for note in answer["notes"]), answer["notes"]
    assert all("\n" not in note for note in answer["notes"])


def test_a_disk_that_is_full_from_the_start_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    done = run(tmp_path / "runs.db", 1, 0)
    last = done.stderr.strip().splitlines()[-1]
    assert "StoreError: cannot write the run store" in last
    assert "set PONDER_STORE to another place" in last
