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


def test_the_first_use_needs_no_arguments(ponder: Ponder) -> None:
    done = ponder("replay", "--interpreted", "--orders", "2", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["results"]
    assert {row["questions"] for row in rows} == {40}
    single, many = (next(row for row in rows if row["method"] == f"self-consistency(n={n})") for n in (1, 16))
    assert many["accuracy_pct"] > single["accuracy_pct"]


def test_traces_without_a_method_are_not_played(ponder: Ponder, trace: str) -> None:
    done = ponder("replay", trace)
    assert (done.returncode, done.stdout) == (2, "")
    assert "say what to play on these traces: --method SPEC" in done.stderr


def test_compiled_replay_prints_a_table(ponder: Ponder, trace: str) -> None:
    done = ponder("replay", trace, "--method", "cmc@0", "--orders", "2")
    assert done.returncode == 0, done.stderr
    assert "M/task" in done.stdout
    assert "cmc@0" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "cmd"), "unknown method 'cmd'; did you mean 'cmc'?"),
        (("--method", "cmc@2"), "effort 2 must lie between 0 and 1"),
        (("--method", "cmc@0:1:0.3"), "steps of 0.3 from 0 pass 1, the end, which is included"),
        (("--method", "lead", "--orders", "0"), "orders=0 must lie between 1"),
        (("--method", "lead", "--seed-order", "pcg65"), "unknown seed order 'pcg65'; did you mean 'pcg64'?"),
        (("--method", "lead", "--budget", "usd=1"), "budget usd=1: a recorded run knows only tokens"),
        (("--method", "lead", "--probe-cost", "501"), "probe_cost=501 must lie between 0 and the interval, 500"),
        (("--method", "best-of-n(n=2)"), "these recorded branches have no verifier scores"),
        (
            ("--method", "self-consistency(n=4)"),
            "self-consistency opens more branches than the 3 that the trace has of a question; give it fewer",
        ),
        (("--method", "single", "--method", "./mine.py"), "cannot load mine.py: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(ponder: Ponder, trace: str, arguments: tuple[str, ...], words: str) -> None:
    done = ponder("replay", trace, "--interpreted", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_does_not_fit_is_left_out_and_named_at_the_end(ponder: Ponder, trace: str) -> None:
    unfit = ("self-consistency(n=4)", "best-of-n(n=2)")
    specs = [part for spec in ("single", *unfit, "cmc@0") for part in ("--method", spec)]
    done = ponder("replay", trace, "--interpreted", "--orders", "2", "--json", *specs)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["method"] for row in found["results"]] == ["single", "cmc@0"]
    for spec, why, line in zip(unfit, ("4|3 that", "no verifier scores"), done.stderr.splitlines(), strict=True):
        assert line.startswith(f"ponder: left out: M/task: {spec}: ")
        assert any(word in line for word in why.split("|"))
    assert len(found["left_out"]) == 2


OWN = """
from ponder.core.methods.controller import TO_END, controller

@controller()
def mine(view, plan, k: int = 1, text: bool = False):
    plan.open[0] = k
    for b in range(k):
        plan.run[b] = TO_END
    yield
    if text:
        plan.answer[0] = int("0")
"""


def test_a_sweep_over_a_file_of_ones_own(ponder: Ponder, trace: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    arguments = ("--orders", "6", "--seed-order", "pcg64", "--interpreted", "--json")
    done = ponder("replay", trace, "--method", f"{file}(k=1:3:1)", "--method", "self-consistency(n=3)", *arguments)
    assert done.returncode == 0, done.stderr
    *own, last, shipped = json.loads(done.stdout)["results"]
    assert [row["settings"]["k"] for row in (*own, last)] == [1, 2, 3]
    assert {row["branches_per_question"] for row in own} == {1.0, 2.0}
    assert last["tokens_per_question"] == shipped["tokens_per_question"] == 1990


def test_a_file_of_ones_own_that_goes_wrong_is_a_failed_run(ponder: Ponder, trace: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    done = ponder("replay", trace, "--interpreted", "--method", f"{file}(k=4)", "--orders", "1")
    assert done.returncode == 1
    assert f"{file}, line 9: the controller opens more branches than were recorded" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_numba_cannot_compile_is_said_once(ponder: Ponder, trace: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    done = ponder("replay", trace, "--method", f"{file}(k=1:3:1,text=true)", "--orders", "2", "--compiled")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"{file}, line 11: Numba cannot compile" in done.stderr


def test_a_budget_holds_for_every_episode(ponder: Ponder, trace: str) -> None:
    arguments = ("--interpreted", "--orders", "6", "--json", "--budget", "tokens=1500")
    done = ponder(
        "replay", trace, "--method", "lead(n=3,m=3)", "--method", "strategy:self-consistency(n=3)", *arguments
    )
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout)["results"]:
        assert 0 < row["tokens_per_question"] <= 1500
