"""`ponder record` and `ponder import` as a person uses them."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from command import Ponder

from ponder.replay.load import load_trace
from ponder.replay.traces.read import TraceFile
from ponder.replay.traces.trace import RecordedQuestion
from tests.servers.chat import ChatServer


@pytest.fixture
def problems(tmp_path: Path) -> str:
    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps({"question": f"sum {i}?", "reference": i}) + "\n" for i in range(1, 5)))
    return str(file)


def questions(file: Path) -> list[RecordedQuestion]:
    return [question for _, question in TraceFile(file).questions(texts=True)]


def options(problems: str, model: str, out: Path) -> list[str]:
    # More branches than the connections to a server: one question at a time.
    limits = ["-n", "20", "--interval", "8", "--max-tokens", "16"]
    return ["record", "--problems", problems, "-m", model, *limits, "-o", str(out)]


def test_a_recording_from_a_server(ponder: Ponder, model: str, problems: str, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    done = ponder(*options(problems, model, out))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.endswith(f"{out}: 4 questions × 20 branches\n")
    trace = load_trace(out)
    assert (len(trace.questions), trace.branches, trace.interval) == (4, 20, 8)
    assert trace.counts.min() >= 1
    assert [path.name for path in tmp_path.glob("t.parquet*")] == ["t.parquet"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_goes_on(
    ponder: Ponder, server: ChatServer, model: str, problems: str, tmp_path: Path, number: signal.Signals
) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "t.parquet"
    assert ponder(*options(problems, model, whole)).returncode == 0
    calls = len(server.bodies)
    server.latency = 0.3
    process = ponder.start(*options(problems, model, out))
    part = tmp_path / "t.parquet.part"
    while not list(part.glob("*.parquet")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    kept = len(list(part.glob("*.parquet")))
    assert 1 <= kept < 4
    assert not out.exists()
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert f"{kept} question" in said
        assert "the same command goes on from there" in said
    server.latency = 0.0
    server.bodies.clear()
    assert ponder(*options(problems, model, out)).returncode == 0
    assert len(server.bodies) < calls
    assert questions(out) == questions(whole)


def test_a_model_that_cannot_continue_is_recorded_without_probes(
    ponder: Ponder, server: ChatServer, model: str, problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "owner", "somebody")
    done = ponder(*options(problems, model, tmp_path / "t.parquet"))
    assert done.returncode == 0, done.stderr
    assert "cannot continue a branch, so none is probed: this trace has width and no depth" in done.stderr
    assert load_trace(tmp_path / "t.parquet").counts.sum() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either --suite or --problems"),
        (("--suite", "a:b", "--problems", "q"), "give either --suite or --problems"),
        (("--suite", "nonsense"), "unknown suite 'nonsense'; known: reasoning-gym"),
        (("--problems", "none.jsonl"), "cannot read none.jsonl: No such file"),
        (("--suite", "a:b", "-n", "0"), "-n 0 must lie between 1 and 4,096"),
        (("--suite", "a:b", "--interval", "0"), "--interval 0 must lie between 1"),
        (("--suite", "a:b", "--temperature", "9"), "temperature=9 must lie between 0 and 2"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(
    ponder: Ponder, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = ponder("record", "-o", str(tmp_path / "t.parquet"), *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


def test_published_traces_are_imported(ponder: Ponder, tmp_path: Path) -> None:
    question = {"question": "?", "gold_answer": "7", "probe_freq": 500, "each_branch": [[["8", "7"], 1200, "7"]]}
    for name in ("A.t.json", "B.t.json"):
        (tmp_path / name).write_text(json.dumps([question]))
    done = ponder("import", "autotts", str(tmp_path / "A.t.json"), "-o", str(tmp_path / "a.parquet"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/a.parquet: 1 question\n"
    assert load_trace(tmp_path / "a.parquet").name == "A/t"
    both = [str(tmp_path / name) for name in ("A.t.json", "B.t.json")]
    assert ponder("import", "autotts", *both, "-o", str(tmp_path / "all")).returncode == 0
    assert load_trace(tmp_path / "all/B.t.parquet").name == "B/t"


def test_a_full_disk_is_one_line(ponder: Ponder, tmp_path: Path) -> None:
    noise = [[str(i * j) for i in range(400)] for j in range(400)]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps({"q": "?", "said": said}) + "\n" for said in noise))
    (tmp_path / "map.toml").write_text("question = 'q'\nsamples = 'said'\n")
    arguments = ["import", "samples", str(tmp_path / "s.jsonl"), "--map", str(tmp_path / "map.toml")]
    done = ponder.with_file_size(8)(*arguments, "-o", str(tmp_path / "s.parquet"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"cannot write {tmp_path}/s.parquet: File too large" in done.stderr
    assert not list(tmp_path.glob("s.parquet*"))


def test_samples_are_imported(ponder: Ponder, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"q": "?", "said": ["Answer: 4", "Answer: 5"]}\n')
    (tmp_path / "map.toml").write_text("question = 'q'\nsamples = 'said'\n")
    arguments = ["import", "samples", str(tmp_path / "s.jsonl"), "--map", str(tmp_path / "map.toml"), "-o"]
    done = ponder(*arguments, str(tmp_path / "s.parquet"))
    assert (done.returncode, done.stderr) == (0, "")
    assert load_trace(tmp_path / "s.parquet").answers == (("4", "5"),)
    wrong = ponder(*arguments, str(tmp_path / "s.json"))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "must be called NAME.parquet" in wrong.stderr
