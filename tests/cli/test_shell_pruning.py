"""`ponder runs rm`, `prune` and `vacuum`."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing

import pytest
from command import Ponder

from ponder.store.sqlite import Store
from tests.servers.chat import ChatServer


def listed(ponder: Ponder) -> list[str]:
    """The ids of the runs, the newest first."""
    return [one["run"] for one in json.loads(ponder("runs", "--json").stdout)]


@pytest.fixture
def three(ponder: Ponder) -> list[str]:
    """Three runs: of now, of ten and of twenty days ago."""
    place, names = ponder.environment["PONDER_STORE"], ["aaa1", "bbb2", "ccc3"]
    with closing(Store(place)) as store:
        for name in names:
            store.finish(store.begin({"strategy": "single", "model": "m"}, name), "done", None)
    with closing(sqlite3.connect(place, isolation_level=None)) as db:
        for age, name in enumerate(names):
            db.execute("UPDATE runs SET created = ? WHERE id = ?", (time.time() - age * 10 * 86_400, name))
    return names


def test_runs_are_removed_by_name(ponder: Ponder, three: list[str]) -> None:
    done = ponder("runs", "rm", three[2][:2], three[1], three[1])
    assert (done.returncode, done.stdout) == (0, f"removed 2 runs: {three[2]}, {three[1]}\n")
    assert listed(ponder) == [three[0]]


def test_if_one_name_is_wrong_none_goes(ponder: Ponder, three: list[str]) -> None:
    refused = ponder("runs", "rm", "last", "zzz")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("ponder: no run 'zzz' in ")
    assert listed(ponder) == three


@pytest.mark.parametrize(
    ("limits", "stay"),
    [
        (("--older-than", "15d"), 2),
        (("--older-than", "1y"), 3),
        (("--older-than", "120 h"), 1),
        (("--keep", "1"), 1),
        (("--keep", "99999999999999999999999"), 3),
        (("--max-size", "0B"), 0),
        (("--max-size", "1.5GB", "--keep", "2"), 2),
    ],
)
def test_the_oldest_go(ponder: Ponder, three: list[str], limits: tuple[str, ...], stay: int) -> None:
    asked = ponder("runs", "prune", *limits, "--dry-run").stdout.splitlines()
    assert [line.split()[0] for line in asked[:-1]] == three[stay:][::-1]
    assert listed(ponder) == three
    done = ponder("runs", "prune", *limits)
    assert done.returncode == 0, done.stderr
    assert asked[-1].replace("would remove", "removed") == done.stdout.splitlines()[0]
    assert listed(ponder) == three[:stay]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("prune",), "nothing says what to remove"),
        (("prune", "--older-than", "soon"), "'soon' is none; write a number and s, min, h, d, w or y"),
        (("prune", "--older-than", "-3d"), "'-3d' is none"),
        (("prune", "--older-than", "30"), "'30' is none"),
        (("prune", "--max-size", "1GX"), "'1GX' is none; write a number and B, kB"),
        (("prune", "--keep", "-1"), "-1 is not in the range"),
        (("prune", "--keep", "all"), "'all' is not a valid integer"),
        (("prune", "--older-than", "9" * 5000 + "d"), "write a number and s"),
        (("rm",), "missing argument 'RUN...'"),
        (("rm", ""), "no run '' in"),
        (("vacuum", "now"), "unexpected extra argument (now)"),
    ],
)
def test_what_is_wrong_is_one_line(ponder: Ponder, arguments: tuple[str, ...], says: str) -> None:
    refused = ponder("runs", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert says in refused.stderr
    assert len(refused.stderr) < 300


def test_a_run_that_goes_on_is_not_removed(ponder: Ponder, server: ChatServer, model: str, three: list[str]) -> None:
    server.latency = 60
    going = ponder.start("solve", "-m", model, "-s", "single", "what?")
    server.wait_for("received")
    refused = ponder("runs", "rm", "last", *three)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is being worked on by another process" in refused.stderr
    pruned = ponder("runs", "prune", "--keep", "0").stdout
    assert pruned.startswith("removed 3 runs, ")
    assert "; 1 run that somebody works on stayed\n" in pruned
    [left] = listed(ponder)
    going.kill()
    going.communicate()
    assert ponder("runs", "rm", left).stdout == f"removed 1 run: {left}\n"


def test_vacuum_says_what_it_gives_back(ponder: Ponder) -> None:
    with closing(Store(ponder.environment["PONDER_STORE"])) as store:
        store.begin({"text": random.Random(1).randbytes(1_000_000).hex()})
    ponder("runs", "rm", "last")
    said = ponder("runs", "vacuum").stdout
    assert " MB before, " in said
    assert " kB after\n" in said


def test_vacuum_of_what_is_locked_is_one_line(ponder: Ponder, three: list[str]) -> None:
    with closing(sqlite3.connect(ponder.environment["PONDER_STORE"], isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        refused = ponder("runs", "vacuum")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "cannot vacuum the run store" in refused.stderr
    assert "database is locked" in refused.stderr
