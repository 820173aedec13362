"""`ponder compare` as a person uses it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from command import Ponder

BRANCHES = [
    [["8", "7"], 1200, "7"],
    [["7"], 700, "7"],
    [[], 90, "9"],
    [["7"], 800, "8"],
]
QUESTION = {"question": "?", "gold_answer": "7", "probe_freq": 500, "each_branch": BRANCHES}
QUESTIONS = [QUESTION | {"question": f"<i>{answer}</i> & more", "gold_answer": answer} for answer in "77779"]
FAST = ("--interpreted", "--orders", "4")


def write(file: Path, questions: list[dict[str, Any]]) -> str:
    file.write_text(json.dumps(questions))
    return str(file)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """With a name that a page must not obey."""
    return write(tmp_path / "<b>M&$x_1$.task.json", QUESTIONS)


def test_a_folder_has_a_page_figures_and_data(ponder: Ponder, trace: str, tmp_path: Path) -> None:
    other = write(tmp_path / "N.task.json", QUESTIONS[:4])
    folder = tmp_path / "made" / "here"
    done = ponder("compare", trace, other, "--method", "lead(n=4,m=2)", *FAST, "--accuracy", "50", "-o", str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names = {"b-M-x-1-task", "N-task", "pooled"}
    assert {file.name for file in folder.iterdir()} == {
        "index.html", "compare.json", *(f"{name}.{kind}" for name in names for kind in ("png", "svg")),
    }  # fmt: skip
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        drawn = "".join(ET.parse(folder / f"{name}.svg").getroot().itertext())
        assert "self-consistency(n)" in drawn
        assert "lead(n=4,m=2)" in drawn
    comparisons = json.loads((folder / "compare.json").read_text())["comparisons"]
    assert [one["name"] for one in comparisons] == ["<b>M&$x_1$/task", "N/task", "pooled"]
    page = (folder / "index.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;M&amp;$x_1$/task" in page
    assert page.count("<svg") == 6
    for table in ("All methods", "Tokens for an accuracy of 50.0 %", "Ahead at equal cost", "Both more accurate"):
        assert table in page


def test_the_page_needs_nothing_else(ponder: Ponder, trace: str, tmp_path: Path) -> None:
    done = ponder("compare", trace, *FAST, "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "index.html").read_text()
    assert set(re.findall(r"https?://[^\s\"<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"<script|<img|<link|@import|url\((?!#)|src=", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(ids)


def test_json_is_one_document(ponder: Ponder, trace: str) -> None:
    done = ponder("compare", trace, "--method", "self-consistency(n=4)", *FAST, "--json")
    assert done.returncode == 0, done.stderr
    (comparison,) = json.loads(done.stdout)["comparisons"]
    methods = {one["method"]: one for one in comparison["methods"]}
    all_branches = methods["self-consistency(n=4)"]
    assert all_branches["asked"]
    assert all_branches["accuracy"]["value"] == 0.8
    assert all_branches["tokens"]["value"] == 2790
    assert all_branches["tokens_per_correct"]["value"] == 2790 / 0.8
    assert comparison["majority"]["value"] == 0.8
    assert comparison["coverage"] == {"value": 1.0, "low": None, "high": None}
    low, high = (all_branches["accuracy"][end] for end in ("low", "high"))
    assert low < 0.8 < high


def test_the_cheap_baselines_are_printed_unasked(ponder: Ponder, trace: str) -> None:
    done = ponder("compare", trace, *FAST)
    assert done.returncode == 0, done.stderr
    methods = re.findall(r"^\d+\.\d %.* (\S+\(\S+\))$", done.stdout, re.MULTILINE)
    assert sorted(methods) == [
        "adaptive-consistency(n=4,threshold=0.95)", "self-consistency(n=1)", "self-consistency(n=2)",
        "self-consistency(n=4)", "short-m-at-k(m=1,k=2)", "short-m-at-k(m=2,k=4)",
    ]  # fmt: skip
    assert "some branch is right: 100.0 % (unknown); vote of all: 80.0 % (" in done.stdout


@pytest.mark.parametrize("door", ["", "strategy:"])
def test_settings_of_a_sweep_that_need_more_branches_are_left_out(ponder: Ponder, trace: str, door: str) -> None:
    done = ponder("compare", trace, "--method", f"{door}self-consistency", "--sweep", *FAST)
    assert done.returncode == 0, done.stderr
    name = f"{door}self-consistency"
    assert f"4 of 7 settings of {name}@0:1:0.1 are left out; the first: " in done.stderr
    assert f": {name}@0.5: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert f"{name}@0.3" in done.stdout


def test_a_method_that_does_not_fit_is_left_out_before_anything_is_played(ponder: Ponder, trace: str) -> None:
    specs = ("--method", "best-of-n(n=2)", "--method", "self-consistency(n=9)", "--method", "cmc@0")
    done = ponder("compare", trace, *specs, *FAST)
    assert done.returncode == 0, done.stderr
    assert "cmc@0" in done.stdout
    assert "n=9" not in done.stdout
    first, second = done.stderr.splitlines()
    assert first.endswith("/task: best-of-n(n=2): these recorded branches have no verifier scores")
    assert "/task: self-consistency(n=9): self-consistency opens more branches than the 4 that" in second


@pytest.mark.parametrize("misfits", [["best-of-n(n=2)"], ["self-consistency(n=9)", "best-of-n"]])
def test_where_nothing_fits_that_was_asked_for_the_baselines_are_played(
    ponder: Ponder, trace: str, misfits: list[str]
) -> None:
    done = ponder("compare", trace, *(part for spec in misfits for part in ("--method", spec)), *FAST)
    assert done.returncode == 0, done.stderr
    assert "adaptive-consistency(n=4,threshold=0.95)" in done.stdout
    assert "vote of all: 80.0 %" in done.stdout
    assert [line.split(": ")[1:4:2] for line in done.stderr.splitlines()] == [["left out", spec] for spec in misfits]


def test_one_question_is_too_few_to_know_an_interval(ponder: Ponder, tmp_path: Path) -> None:
    done = ponder("compare", write(tmp_path / "M.task.json", [QUESTION]), *FAST, "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "vote of all: 100.0 % (unknown)" in done.stdout
    assert re.search(r"^100\.0 % +unknown +2,790 ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "cmd"), "'cmd'; did you mean 'cmc'?"),
        (("--method", "cmc@2"), "effort 2 must lie between 0 and 1"),
        (("--method", "cmc@2", "--sweep"), "effort 2 must lie between 0 and 1"),
        (("--orders", "0"), "orders=0 must lie between 1"),
        (("--accuracy", "101"), "101"),
        (("--accuracy", "nan"), "--accuracy is a number from 0 to 100"),
        (("-o", "{trace}"), "cannot be written: "),
        (("-o", "{trace}/deeper"), "cannot be written: Not a directory; give another folder with -o"),
    ],
)
def test_what_cannot_be_done_is_one_line(ponder: Ponder, trace: str, arguments: tuple[str, ...], words: str) -> None:
    done = ponder("compare", trace, "--interpreted", *(one.format(trace=trace) for one in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_trace_without_reference_answers_cannot_be_compared(ponder: Ponder, tmp_path: Path) -> None:
    file = write(tmp_path / "M.task.json", [QUESTION | {"gold_answer": "0"}])
    done = ponder("compare", file, *FAST)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ponder: M/task: no branch has the right answer to any question; has it reference answers?\n"
    )


def test_without_a_trace_it_says_what_is_missing(ponder: Ponder) -> None:
    done = ponder("compare")
    assert done.returncode == 2
    assert "missing argument 'TRACE...'" in done.stderr
