"""`ponder demo` shows one pass and a vote side by side."""

from __future__ import annotations

import json

from command import Ponder

from ponder.cli.verbs.demo import QUESTION, REFERENCE, SCALED
from tests.servers.chat import ChatServer


def test_the_demo_shows_both_answers_with_what_they_cost(ponder: Ponder, server: ChatServer, model: str) -> None:
    done = ponder("demo", "-m", model)
    assert (done.returncode, done.stderr) == (0, "")
    assert QUESTION in done.stdout
    table = done.stdout[done.stdout.index("ONE PASS") :].splitlines()
    rows = {line.split()[0]: line for line in table[1:]}
    assert {"answer", "right", "confidence", "votes", "stopped", "tokens", "time", "run"} <= rows.keys()
    scaled, single = json.loads(ponder("runs", "--json").stdout)
    assert (single["strategy"], scaled["strategy"]) == ("single", SCALED)
    assert rows["answer"].split()[1:] == [single["answer"], scaled["answer"]]
    assert rows["run"].split()[1:] == [single["run"], scaled["run"]]


def test_the_demo_in_a_pipe_shows_each_phase_and_each_sample_while_it_goes_on(
    ponder: Ponder, server: ChatServer, model: str
) -> None:
    done = ponder("demo", "-m", model, PONDER_SIGN_AFTER="0")
    lines = done.stdout.splitlines()
    one, vote = (
        lines.index("One pass, at temperature 0:"),
        lines.index("A vote among five samples, at temperature 0.7:"),
    )
    assert [line.split()[0] for line in lines[one + 1 : vote]] == ["b0"]
    assert [line.split()[0] for line in lines[vote + 1 : vote + 6]] == ["b0", "b1", "b2", "b3", "b4"]


def test_the_right_answer_is_not_sent_anywhere(ponder: Ponder, server: ChatServer, model: str) -> None:
    ponder("demo", "-m", model)
    assert all(REFERENCE not in json.dumps(body["messages"]) for body in server.bodies)
    assert [body["temperature"] for body in server.bodies] == [0.0, 0.7]
