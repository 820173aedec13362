"""Defaults from the environment and from a file; runs without a record; signs of life."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Ponder

import ponder as library
from ponder.backends.scripted import Scripted
from ponder.verifiers import NAMES
from tests.servers import faults
from tests.servers.chat import ChatServer

GONE = "http://127.0.0.1:9/v1"


def config(place: Path, text: str) -> dict[str, str]:
    (place / "config.toml").write_text(text, encoding="utf-8")
    return {"PONDER_CONFIG": str(place / "config.toml")}


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(ponder: Ponder, tmp_path: Path) -> None:
    file = config(tmp_path, f'model = "of-the-file@{GONE}"\n')
    environment = {**file, "PONDER_MODEL": f"of-the-environment@{GONE}"}
    assert "'of-the-file'" in ponder("solve", "hi", **file).stderr
    assert "'of-the-environment'" in ponder("solve", "hi", **environment).stderr
    assert "'given'" in ponder("solve", "-m", f"given@{GONE}", "hi", **environment).stderr


def test_the_file_in_the_users_configuration_is_found(ponder: Ponder, tmp_path: Path) -> None:
    (tmp_path / "ponder").mkdir()
    config(tmp_path / "ponder", f'model = "mine@{GONE}"\n')
    assert "'mine'" in ponder("solve", "hi", XDG_CONFIG_HOME=str(tmp_path)).stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modl = 'x'", "'modl' is none of model, strategy"),
        ("max_tokens = 'many'", "max_tokens = 'many' is of the wrong type"),
        ("model = ", "config.toml: "),
        ("strategy = 'nope'", "nope"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_line(ponder: Ponder, tmp_path: Path, text: str, says: str) -> None:
    refused = ponder("solve", "hi", **config(tmp_path, text))
    assert refused.returncode == 2
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_file_that_is_named_and_not_there(ponder: Ponder) -> None:
    refused = ponder("solve", "hi", PONDER_CONFIG="/nowhere/config.toml")
    assert (refused.returncode, refused.stderr) == (2, "ponder: PONDER_CONFIG: there is no file /nowhere/config.toml\n")


def test_a_run_without_a_store_leaves_nothing(ponder: Ponder, server: ChatServer, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "single", "--no-store", "--json", "hi")
    assert done.returncode == 0
    assert json.loads(done.stdout)["run"] is None
    assert not Path(ponder.environment["PONDER_STORE"]).exists()


def test_a_run_in_a_pipe_says_that_it_is_under_way(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.faults.append(faults.hang)
    done = ponder("solve", "-m", model, "-s", "single", "-b", "seconds=1", "--json", "hi", PONDER_SIGN_AFTER="0")
    assert " is under way: 0 of 1 branches done, 0 tokens, " in done.stderr
    assert json.loads(done.stdout)["stopped_because"] == "the deadline passed"


def test_verifiers_are_listed(ponder: Ponder) -> None:
    listed = ponder("verifiers")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in NAMES)
    assert json.loads(ponder("verifiers", "--json").stdout) == NAMES


def test_answers_show_themselves_in_notebooks() -> None:
    answer = library.solve("?", strategy="self-consistency(n=1)", model=Scripted(["Answer: <b>|`x"]))
    assert "&lt;b&gt;|`x" in answer._repr_html_()
    assert "<b>" not in answer._repr_html_()
    assert "| answer | `<b>\\|'x` |" in answer._repr_markdown_()
    unvoted = library.solve("?", strategy="single", model=Scripted(["A long tale.\n\nIt goes on.\n\nThe end of it."]))
    assert "unvoted" in unvoted._repr_html_()
    assert "A long tale." in unvoted._repr_html_()
