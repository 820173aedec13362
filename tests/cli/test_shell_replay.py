"""`ponder replay` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Ponder

BRANCHES = [[["8", "7"], 1200, "7"], [["7"], 700, "7"], [[], 90, "9"]]
QUESTION = {"question": "?", "gold_answer": "7", "probe_freq": 500, "each_branch": BRANCHES}


@pytest.fixture
def trace(tmp_path: Path) -> str:
    file = tmp_path / "M.task.json"
    file.write_text(json.dumps([QUESTION, QUESTION | {"gold_answer": "9"}]))
    return str(file)


def test_json_has_a_row_for_each_trace_and_method(ponder: Ponder, trace: str) -> None:
    done = ponder(
        "replay", trace, "--method", "self-consistency(n=3)", "--method", "lead(n=3,m=2)", "--orders", "6",
        "--seed-order", "python", "--json", "--interpreted",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["results"]
    assert (first["trace"], first["method"]) == ("M/task", "self-consistency(n=3)")
    assert (first["questions"], first["orders"]) == (2, 6)
    assert (first["accuracy_pct"], first["standard_error_pct"]) == (50.0, 50.0)
    assert (first["tokens_per_question"], first["sequential_tokens_per_question"]) == (1990, 1200)
    assert second["tokens_per_question"] < 1990


def test_compiled_replay_prints_a_table(ponder: Ponder, trace: str) -> None:
    done = ponder("replay", trace, "--method", "cmc@0", "--orders", "2")
    assert done.returncode == 0, done.stderr
    assert "M/task" in done.stdout
    assert "cmc@0" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "cmd"), "unknown controller 'cmd'; did you mean 'cmc'?"),
        (("--method", "cmc@2"), "effort 2 must lie between 0 and 1"),
        (("--method", "lead", "--orders", "0"), "orders=0 must lie between 1"),
        (("--method", "self-consistency(n=4)", "--orders", "1"), "opens more branches than were recorded"),
    ],
)
def test_what_cannot_be_done_is_one_line(ponder: Ponder, trace: str, arguments: tuple[str, ...], words: str) -> None:
    done = ponder("replay", trace, "--interpreted", *arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
