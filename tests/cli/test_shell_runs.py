"""`ponder runs` and `ponder resume`: nothing that was answered is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Ponder

from tests.servers.chat import ChatServer


def test_the_list_starts_with_the_newest_run(ponder: Ponder, model: str) -> None:
    assert ponder("runs").stdout == "no runs yet; `ponder solve QUESTION` makes one\n"
    assert json.loads(ponder("runs", "--json").stdout) == []
    ponder("solve", "-m", model, "-s", "single", "one")
    ponder("solve", "-m", model, "-s", "self-consistency(n=2)", "two")
    newest, older = json.loads(ponder("runs", "--json").stdout)
    assert (newest["strategy"], older["strategy"]) == ("self-consistency(n=2)", "single")
    assert {newest["status"], older["status"]} == {"done"}
    assert newest["tokens"] > 0
    head, first, second = ponder("runs").stdout.splitlines()
    assert head.split() == ["RUN", "WHEN", "STATUS", "STRATEGY", "MODEL", "TOKENS", "ANSWER"]
    assert first.split()[0] == newest["run"]
    assert second.split()[0] == older["run"]
    assert len(ponder("runs", "--limit", "1").stdout.splitlines()) == 2


def test_one_run_is_shown_as_it_ended(ponder: Ponder, model: str) -> None:
    ended = ponder("solve", "-m", model, "-s", "single", "one").stdout
    result = ended[ended.index("answer ") :]
    run = result.split()[-1]
    for name in (run, run[:6], "last"):
        assert ponder("runs", name).stdout == result
    assert "--- branch b0" in ponder("runs", run, "--show-branches").stdout
    assert json.loads(ponder("runs", run, "--json").stdout)["run"] == run


@pytest.mark.parametrize("command", ["runs", "resume"])
def test_a_run_that_is_not_there_is_one_line(ponder: Ponder, command: str) -> None:
    refused = ponder(command, "f00")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("ponder: no run 'f00' in ")


def test_a_killed_run_is_listed_as_interrupted_and_goes_on(ponder: Ponder, server: ChatServer, model: str) -> None:
    arguments = ["-m", model, "-s", "adaptive-consistency(n=5,threshold=1)", "--seed", "5", "--json", "what?"]
    whole = json.loads(ponder("solve", *arguments).stdout)
    server.reset()
    server.token_latency = 0.05
    running = ponder.start("solve", *arguments)
    with server.changed:
        assert server.changed.wait_for(lambda: len(server.bodies) >= 3, 60)
    [now, _] = json.loads(ponder("runs", "--json").stdout)
    assert now["status"] == "running"
    running.kill()
    running.communicate()
    [cut, _] = json.loads(ponder("runs", "--json").stdout)
    assert (cut["run"], cut["status"]) == (now["run"], "interrupted")
    assert "`ponder resume " in ponder("runs", cut["run"]).stderr
    server.reset()
    resumed = json.loads(ponder("resume", cut["run"], "--json").stdout)
    assert (resumed["value"], resumed["votes"]) == (whole["value"], whole["votes"])
    assert resumed["bill"]["lost_calls"] == 1
    assert len(server.bodies) == 3  # of five calls, two had been answered


def test_a_finished_run_gives_its_answer_again_and_calls_nobody(ponder: Ponder, server: ChatServer, model: str) -> None:
    ended = ponder("solve", "-m", model, "-s", "single", "--json", "one").stdout
    server.reset()
    assert ponder("resume", "last", "--json").stdout == ended
    assert server.bodies == []


def test_a_run_that_is_being_worked_on_cannot_be_resumed_twice(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.latency = 60
    running = ponder.start("solve", "-m", model, "-s", "single", "what?")
    server.wait_for("received")
    refused = ponder("resume", "last")
    running.kill()
    running.communicate()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is being worked on by another process" in refused.stderr


def test_resuming_a_run_of_ones_own_strategy_asks_for_its_file(ponder: Ponder, model: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from ponder import Answer, Session, strategy\n"
        "@strategy()\n"
        "async def mine(s: Session) -> Answer:\n"
        "    raise ValueError('not yet')\n"
    )
    ponder("solve", "-m", model, "--load", str(mine), "-s", "mine", "what?")
    refused = ponder("resume", "last")
    assert refused.returncode == 2
    assert "unknown strategy 'mine'" in refused.stderr
    assert "--load" in refused.stderr
