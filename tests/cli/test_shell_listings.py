"""The commands that only look: help, models, strategies, doctor, completion."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from command import EXECUTABLE, Ponder
from terminal import Terminal, plain

import ponder.strategies  # noqa: F401 - registers them
from ponder.backends.weights import cards
from ponder.cli.commands import ponder as main
from ponder.core.methods.registry import registered
from ponder.strategies import SHIPPED
from tests.servers.chat import ChatServer

COMMANDS = list(main.commands)


def test_help_lists_the_commands_and_examples(ponder: Ponder) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        shown = ponder(*arguments)
        assert (shown.returncode, shown.stderr) == (0, "")
        for command in COMMANDS:
            assert f"\n  {command} " in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(ponder: Ponder, command: str) -> None:
    shown = ponder(command, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"Usage: ponder {command} " in shown.stdout
    assert f"ponder {command}" in shown.stdout.split("Examples:")[1]
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_models_shows_what_there_is_and_marks_the_default(ponder: Ponder) -> None:
    lines = ponder("models").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [card.name for card in cards()]
    assert [line.endswith("default") for line in lines] == [True, False, False]
    assert all("Apache-2.0" in line for line in lines)


def test_models_that_are_not_cached_are_fetched_on_first_use(ponder: Ponder, tmp_path: Path) -> None:
    lines = ponder("models", PONDER_CACHE=str(tmp_path)).stdout.splitlines()[1:]
    assert all("no, fetched on first use" in line for line in lines)


def test_strategies_lists_each_with_its_options(ponder: Ponder) -> None:
    shown = ponder("strategies").stdout
    for name in SHIPPED:  # other tests of this process may have registered more
        assert f"\n{name}" in shown
        assert registered()[name].summary in shown


def test_one_strategy_is_explained_with_bounds_and_efforts(ponder: Ponder) -> None:
    shown = ponder("strategies", "adaptive-consistency").stdout
    assert "n=40  whole number from 1 to 4096" in shown
    assert "threshold=0.95  number from 0 to 1" in shown
    assert "criterion=beta  one of beta, dirichlet" in shown
    assert "0.5  n=34, threshold=0.89" in shown
    refused = ponder("strategies", "adaptive-consistncy")
    assert refused.returncode == 2
    assert "did you mean 'adaptive-consistency'?" in refused.stderr


def test_doctor_finds_a_good_machine_good(ponder: Ponder, server: ChatServer, model: str, tmp_path: Path) -> None:
    found = ponder(
        "doctor", "-m", model, PONDER_CACHE=str(tmp_path), OPENAI_API_KEY="sk-very-secret", OPENAI_BASE_URL=server.url
    )
    lines = found.stdout.splitlines()
    assert found.returncode == 0, found.stdout
    assert {line.split()[0] for line in lines} <= {"ok", "warn"}
    assert {line.split()[1] for line in lines} >= {
        "cores",
        "memory",
        "ponder",
        "cache",
        "runs",
        "weights",
        "key",
        "server",
    }
    assert "OPENAI_API_KEY is set" in found.stdout
    assert found.stdout.count(f"{server.url} answers: test-model") == 2
    assert "very-secret" not in found.stdout


def test_doctor_says_what_is_wrong_and_what_to_do(ponder: Ponder, server: ChatServer) -> None:
    found = ponder(
        "doctor", "-m", f"other@{server.url}", "-m", "m@http://user:pass@127.0.0.1:9/v1",
        PONDER_CACHE="/dev/null/x", PONDER_STORE="/dev/null/y",
    )  # fmt: skip
    assert found.returncode == 1
    failed = {line.split()[1]: line for line in found.stdout.splitlines() if line.startswith("fail")}
    assert "set PONDER_CACHE" in failed["cache"]
    assert "set PONDER_STORE" in failed["runs"]
    assert f"{server.url} has no model 'other'; it has test-model" in found.stdout
    assert "cannot reach http://127.0.0.1:9/v1" in found.stdout
    assert "pass@" not in found.stdout


def test_doctor_reads_the_weights(ponder: Ponder, tmp_path: Path) -> None:
    card = cards()[-1]
    damaged = tmp_path / "models" / card.sha256 / card.file
    damaged.parent.mkdir(parents=True)
    with damaged.open("wb") as file:
        file.truncate(card.size)  # the right size, the wrong bytes
    found = ponder("doctor", PONDER_CACHE=str(tmp_path))
    assert found.returncode == 1
    assert f"{damaged} is damaged: sha256 " in found.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_the_shell_accepts(ponder: Ponder, shell: str, tmp_path: Path) -> None:
    printed = ponder("completion", shell)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "_PONDER_COMPLETE" in printed.stdout
    if shutil.which(shell):
        (tmp_path / "script").write_text(printed.stdout)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize(
    ("typed", "offered"),
    {
        "ponder so": ["solve"],
        "ponder solve -s self": ["self-consistency"],
        "ponder solve -m local/qwen": ["local/qwen2.5-coder-1.5b", "local/qwen2.5-coder-0.5b"],
        "ponder solve --show": ["--show-branches"],
        "ponder resume la": ["last"],
        "ponder completion z": ["zsh"],
    }.items(),
)
def test_the_shell_completes_commands_options_and_names(
    environment: dict[str, str], typed: str, offered: list[str]
) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_PONDER_COMPLETE": "bash_complete"}
    done = subprocess.run([EXECUTABLE], env={**environment, **words}, capture_output=True, text=True, check=True)
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == offered
    assert done.stderr == ""


def test_the_tables_fit_a_narrow_terminal(environment: dict[str, str]) -> None:
    for command in ("models", "strategies"):
        with Terminal([EXECUTABLE, command], environment, columns=40) as terminal:
            assert terminal.finish() == 0
        assert max(map(len, plain(terminal.seen).splitlines())) <= 40


OWN = """
import ponder

@ponder.strategy("own")
async def own(s: ponder.Session, rounds: int, width: ponder.Count = 3) -> ponder.Answer:
    return ponder.vote(await s.extend(await s.sample(width)))
"""


def test_an_option_without_a_default_is_shown_as_such(ponder: Ponder, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    for arguments in (["own"], []):
        shown = ponder("strategies", *arguments, "--load", str(tmp_path / "own.py"))
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "rounds" in shown.stdout
        assert "width=3" in shown.stdout
        assert "empty" not in shown.stdout
