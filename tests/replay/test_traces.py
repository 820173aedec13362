"""Reading traces, and saying what is wrong with one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ponder.core.errors import TraceError
from ponder.replay.importers.autotts import read_autotts

GOOD = {"question": "?", "gold_answer": "7", "probe_freq": 500, "each_branch": [[["8", "7"], 1200, "7"], [[], 90, "9"]]}


def written(folder: Path, content: Any, name: str = "M.task.json") -> Path:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("name", "pack"),
    [("M.task.json", bytes), ("M.task.json.gz", gzip.compress), ("M.task.json.zst", zstandard.compress)],
)
def test_a_published_file_is_read_packed_or_not(tmp_path: Path, name: str, pack: Any) -> None:
    trace = read_autotts(written(tmp_path, pack(json.dumps([GOOD]).encode()), name))
    assert (trace.name, trace.interval, trace.branches) == ("M/task", 500, 2)
    assert trace.answers == (("8", "7", "9"),)
    assert trace.probes.tolist() == [0, 1]
    assert (trace.counts.tolist(), trace.lengths.tolist(), trace.finals.tolist()) == ([2, 0], [1200, 90], [1, 2])
    assert trace.references.tolist() == [1]


def test_a_reference_that_no_branch_gave_has_no_id(tmp_path: Path) -> None:
    trace = read_autotts(written(tmp_path, [GOOD | {"gold_answer": "41"}, GOOD | {"gold_answer": None}]))
    assert trace.references.tolist() == [-2, -2]
    assert "41" not in trace.answers[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "a JSON list of questions, at least one"),
        ({"a": 1}, "a JSON list of questions"),
        (b'[{"question": "?"', "no valid JSON"),
        (b"\xff\xfe", "no valid JSON"),
        ([GOOD | {"each_branch": []}], "question 0 has no branches"),
        ([GOOD | {"each_branch": None}], "question 0: each_branch must be a list"),
        ([GOOD, GOOD | {"each_branch": GOOD["each_branch"][:1]}], "question 1 has 1 branches, question 0 has 2"),  # type: ignore[index]
        ([GOOD | {"each_branch": [[["8"], "long", "7"]]}], "question 0, branch 0: token length"),
        ([GOOD | {"each_branch": [[["8"], -5, "7"]]}], "question 0, branch 0: a length of -5 tokens"),
        ([GOOD | {"each_branch": [[["8"], 10**12, "7"]]}], "question 0, branch 0: a length of"),
        ([GOOD | {"each_branch": [[[8], 5, "7"]]}], "question 0, branch 0: an answer must be text or null"),
        ([GOOD | {"each_branch": [["8", 5]]}], "question 0, branch 0: must be [probe answers"),
        ([GOOD | {"probe_freq": 0}], "interval of 0 tokens"),
        ([GOOD, GOOD | {"probe_freq": 100}], "probe_freq must be the same"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_autotts(written(tmp_path, content))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["M.json.gz", "M.json.zst"])
@pytest.mark.parametrize("damage", [lambda data: data[:20], lambda data: b"nothing packed"])
def test_a_damaged_package_is_one_line(tmp_path: Path, name: str, damage: Any) -> None:
    pack: Any = gzip.compress if name.endswith("gz") else zstandard.compress
    data = damage(pack(json.dumps([GOOD] * 50).encode()))
    with pytest.raises(TraceError, match=name):
        read_autotts(written(tmp_path, data, name))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"cannot read .*No such file"):
        read_autotts(tmp_path / "none.json")
