"""What cannot be done is refused in one line before anything is sent, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Ponder

from ponder.cli.terminal.question import read_question
from ponder.core.errors import InvalidProblem
from tests.servers.chat import ChatServer

REFUSED = {
    "no such command": (["slove", "hi"], "unknown command 'slove'; did you mean 'solve'?"),
    "no such option": (
        ["solve", "--stratgy", "single", "hi"],
        "unknown option '--stratgy'; did you mean '--strategy'?",
    ),
    "an option without its value": (["solve", "hi", "--model"], "option '--model' requires an argument"),
    "no such strategy": (
        ["-s", "self-consistncy"],
        "unknown strategy 'self-consistncy'; did you mean 'self-consistency'?",
    ),
    "no such option of a strategy": (["-s", "esc(windw=5)"], "unknown option of esc 'windw'; did you mean 'window'?"),
    "a strategy spec that is none": (["-s", "esc(n=5"], "not of the form name[@effort][(key=value,...)]"),
    "no such verifier": (["-v", "mth"], "unknown verifier 'mth'; did you mean 'math'?"),
    "an effort over 1": (["-e", "1.5"], "effort 1.5 must lie between 0 and 1"),
    "an effort in the spec over 1": (["-s", "esc@2"], "effort 2 must lie between 0 and 1"),
    "an effort that is no number": (["-e", "high"], "'high' is not a valid float"),
    "an effort that is not a number": (["-e", "nan"], "effort nan must lie between 0 and 1"),
    "no samples": (["-s", "self-consistency(n=0)"], "n=0 must lie between 1 and 4096"),
    "a billion samples": (["-s", "self-consistency(n=1000000000)"], "n=1000000000 must lie between 1 and 4096"),
    "a budget without a name": (["-b", "20k"], "budget '20k' is not one of tokens=NUMBER"),
    "a budget in euros": (["-b", "eur=1"], "budget 'eur=1' is not one of tokens=NUMBER"),
    "a budget in kilograms": (["-b", "tokens=20kg"], "'20kg' is not a number like 500, 20k or 0.05"),
    "a budget in minutes": (["-b", "seconds=5m30"], "'5m30' is not a number like 500, 20k or 0.05"),
    "a budget of nothing": (["-b", "tokens=0"], "budget tokens=0 must be greater than 0"),
    "a budget in dollars without a price": (["-b", "usd=1"], "that of test-model is not known"),
    "a budget too small for one call": (["-b", "tokens=5"], "the budget does not cover one call"),
    "a price that is none": (["--price", "cheap"], "price 'cheap' is not PROMPT/OUTPUT"),
    "a temperature of 9": (["--temperature", "9"], "temperature=9 must lie between 0 and 2"),
    "replies of no tokens": (["--max-tokens", "0"], "max_tokens=0 must lie between 1 and 1,000,000"),
    "a threshold over 1": (["--abstain-below", "2"], "abstain_below=2.0 must lie between 0 and 1"),
    "a verifier that lacks a reference": (["-s", "best-of-n", "-v", "math"], "compares with a reference answer, and"),
    "a model without a name": (["-m", ""], "model"),
    "a strategy that needs a verifier": (["-s", "best-of-n"], "best-of-n needs a verifier"),
    "a file of strategies that is not there": (["--load", "nowhere.py"], "cannot load nowhere.py: No such file"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_argument_is_one_line(
    ponder: Ponder, server: ChatServer, model: str, arguments: list[str], told: str
) -> None:
    if not arguments[0].startswith("s"):
        arguments = ["solve", "-m", model, *arguments, "hi"]
    refused = ponder(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert refused.stderr.startswith("ponder: ")
    assert refused.stderr.count("\n") == 1
    assert server.bodies == []


@pytest.mark.parametrize(
    ("spec", "told"),
    {
        "gpt-4o": "model 'gpt-4o' is none of local/NAME, local/PATH.gguf, openai/MODEL, MODEL@http://host:port/v1",
        "local/qwen2.5-coder-1.b": "unknown model 'local/qwen2.5-coder-1.b'; did you mean 'local/qwen2.5-coder-1.5b'?",
        "local/nowhere.gguf": "no model file at nowhere.gguf",
        "m@http://": "is no URL",
    }.items(),
)
def test_a_model_that_is_not_there_is_one_line(ponder: Ponder, spec: str, told: str) -> None:
    refused = ponder("solve", "-m", spec, "hi")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_gguf_file_that_is_none_says_what_it_is(ponder: Ponder, tmp_path: Path) -> None:
    page = tmp_path / "model.gguf"
    page.write_text("<!doctype html>")
    refused = ponder("solve", "-m", str(page), "hi")
    assert refused.returncode == 2
    assert "is no GGUF model file" in refused.stderr
    assert "a web page" in refused.stderr


QUESTIONS = {
    "none": ([], b"", "give one question"),
    "two": (["what", "now"], b"", "the question is one argument: put it in quotes"),
    "an argument and a file": (["hi", "--file", "q.txt"], b"", "give one question"),
    "empty": ([""], b"", "the question is empty"),
    "blank": ([" \n "], b"", "the question is empty"),
    "nothing on standard input": (["-"], b"", "the question is empty"),
    "not UTF-8": ([b"caf\xe9"], b"", "the question is not UTF-8 text: byte 3 is 0xe9"),
    "not UTF-8 on standard input": (["-"], b"caf\xe9", "the question is not UTF-8 text: byte 3 is 0xe9"),
    "10 MB on standard input": (["-"], b"a" * 10_000_000, "the question has more than 1,000,000 bytes, the limit"),
    "an endless file": (["--file", "/dev/zero"], b"", "the question has more than 1,000,000 bytes, the limit"),
    "a file that is not there": (["--file", "nowhere.txt"], b"", "cannot read nowhere.txt: No such file or directory"),
    "a folder": (["--file", "/"], b"", "cannot read /: Is a directory"),
}


@pytest.mark.parametrize(("arguments", "stdin", "told"), QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_that_is_none_is_one_line(
    ponder: Ponder, model: str, arguments: list[str | bytes], stdin: bytes, told: str
) -> None:
    refused = ponder("solve", "-m", model, *arguments, stdin=stdin)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "told"), [(b"caf\xe9", "byte 3 is 0xe9"), (b"a" * 10_000_000, "more than 1,000,000")]
)
def test_a_file_that_is_no_question_is_one_line(
    ponder: Ponder, model: str, tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "question").write_bytes(content)
    refused = ponder("solve", "-m", model, "--file", str(tmp_path / "question"))
    assert refused.returncode == 2
    assert told in refused.stderr


def test_an_error_with_json_leaves_standard_output_empty(ponder: Ponder, model: str) -> None:
    refused = ponder("solve", "-m", model, "-e", "7", "--json", "hi")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "ponder: effort 7 must lie between 0 and 1\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["record", "--suite", "reasoning-gym:gsm_symbolic", "-o", "trace.txt"], "must be called NAME.parquet"),
        (["replay", "--threads", "-1"], "-1 is not in the range x>=0"),
        (["serve", "-m", "text/m@http://127.0.0.1:9/v1"], "is none of local/NAME"),
    ],
)
def test_other_commands_refuse_in_one_line_too(ponder: Ponder, arguments: list[str], told: str) -> None:
    refused = ponder(*arguments)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert told in refused.stderr


@pytest.mark.parametrize(
    ("content", "binary"),
    [
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00,", True),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", True),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", True),
        (b"\x00\x00\x00\x1cftypheic\x00", True),
        (b"II*\x00\x08\x00\x00\x00", True),
        (b"%PDF-1.7\n%", True),
        (b"BMW f\xc3\xbcr wie viele Personen?", False),
        (b"II* is which quantum number?", False),
        ("RIFF é what is it?".encode(), False),
    ],
)
def test_an_image_is_told_from_a_question_by_its_bytes(content: bytes, binary: bool, tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(content)
    if not binary:
        assert read_question((), tmp_path / "q").question.startswith(content.decode())
        return
    with pytest.raises(InvalidProblem, match="is an image or a document"):
        read_question((), tmp_path / "q")


def test_a_set_of_questions_or_an_image_is_no_question(ponder: Ponder, tmp_path: Path) -> None:
    lines = b'{"question": "1+1?"}\n\n\n{"question": "1+2?"}\n'
    (tmp_path / "q.json").write_bytes(b'[{"question": "1+1?"}, {"question": "1+2?"}]')
    (tmp_path / "q.jsonl").write_bytes(lines)
    (tmp_path / "q.txt").write_bytes(lines)
    (tmp_path / "q.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    for name, says in (
        ("q.jsonl", "one question at a time"),
        ("q.txt", "a set of questions"),
        ("q.png", "an image or a document, and `solve` takes text"),
    ):
        refused = ponder("solve", "--file", str(tmp_path / name))
        assert refused.returncode == 2
        assert says in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert "a set of questions" in ponder("solve", "-", stdin=lines).stderr
