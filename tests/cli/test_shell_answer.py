"""`ponder answer`: what is taken for an answer, and which are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Ponder


def test_extract_shows_the_answer_its_kind_and_its_normal_form(ponder: Ponder, tmp_path: Path) -> None:
    reply = tmp_path / "reply.txt"
    reply.write_text("So it is\n\n**Answer:** 1 1/2\n\nI hope this answer helps!", encoding="utf-8")
    shown = ponder("answer", "extract", str(reply))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.split() == ["1", "1/2", "kind", "number", "normal", "form", "3/2"]


def test_extract_reads_standard_input_in_the_light_of_the_question(ponder: Ponder) -> None:
    asked = ("--question", "What is the capital of Australia?", "--json")
    shown = ponder("answer", "extract", "-", *asked, stdin=b"Canberra is the capital of Australia.")
    assert json.loads(shown.stdout) == {"answer": "Canberra", "kind": "text", "normal": "canberra"}


@pytest.mark.parametrize("reply", [b"", b"Answer: [number]", b"Let me think about it. First, we need x."])
def test_extract_finds_none(ponder: Ponder, reply: bytes) -> None:
    shown = ponder("answer", "extract", "-", stdin=reply)
    assert (shown.returncode, shown.stdout) == (1, "no answer\n")


@pytest.mark.parametrize(
    ("first", "second", "same", "by"),
    [
        ("0.5", "1/2", True, "kind and normal form"),
        ("5 km", "5000 m", True, "a table of units"),
        ("3 ft", "2 yd", False, "a table of units"),
        ("2-1", "1-2", False, "kind and normal form"),
        ("x^2-1", "(x-1)(x+1)", True, "computer algebra"),
        ("x+1", "x+2", False, "computer algebra"),
        ("a b", "a b", True, "every character"),
        ("B", "(C)", False, "kind and normal form"),
    ],
)
def test_compare_says_whether_two_answers_are_the_same(
    ponder: Ponder, first: str, second: str, same: bool, by: str
) -> None:
    shown = ponder("answer", "compare", first, second)
    assert shown.returncode == (0 if same else 1)
    assert shown.stdout.splitlines()[-1] == f"{'the same' if same else 'different'}, by {by}"
    told = json.loads(ponder("answer", "compare", first, second, "--json").stdout)
    assert (told["same"], told["decided_by"]) == (same, by)
    assert [side["answer"] for side in told["answers"]] == [first, second]


def test_a_file_that_cannot_be_read_is_one_line(ponder: Ponder, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    for name, reason in (("nothing", "No such file"), ("latin", "not UTF-8 text: byte 3 is 0xe9")):
        shown = ponder("answer", "extract", str(tmp_path / name))
        assert shown.returncode == 2
        assert reason in shown.stderr
        assert len(shown.stderr.splitlines()) == 1
