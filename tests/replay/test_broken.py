"""Traces from strangers: broken, impossible, or just unusual."""

from __future__ import annotations

import dataclasses
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import same, written

import ponder.controllers  # noqa: F401 - registers them
from ponder.core.errors import TraceError
from ponder.core.methods.controller import parse_controller
from ponder.replay.load import load_trace
from ponder.replay.play.controllers import replay
from ponder.replay.traces.about import About
from ponder.replay.traces.columns import ABOUT
from ponder.replay.traces.footer_checksum import seal
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, Trace
from ponder.replay.traces.write import TraceWriter

GOOD = RecordedQuestion(
    "?", "7", [RecordedBranch(["8", "7"], 47, "7", probe_costs=[3, 3]), RecordedBranch([None], 30, None, score=0.5)]
)


def forged(file: Path, rows: int = 2, **changed: Any) -> Path:
    """A trace with columns that no writer of ours would write; None leaves a column out."""
    written(file, GOOD)
    about = pq.ParquetFile(file).metadata.metadata[ABOUT]
    columns = {}
    for field in pq.read_schema(file):
        values = changed.get(field.name, pq.read_table(file)[field.name])
        if values is not None:
            columns[field.name] = pa.array(values, field.type) if isinstance(values, list) else values
    pq.write_table(pa.table(columns)[:rows].replace_schema_metadata({ABOUT: about}), file)
    with file.open("r+b") as stream:
        seal(stream)
    return file


def refusal(file: Path) -> str:
    """The one line that is said of it."""
    with pytest.raises(TraceError) as caught:
        load_trace(file)
    text = str(caught.value)
    assert text.startswith((str(file), "cannot read"))
    assert "\n" not in text
    return text


def test_what_is_forged_is_read_as_long_as_it_is_possible(tmp_path: Path) -> None:
    assert load_trace(forged(tmp_path / "t.parquet", tokens=[50, 60])).lengths.tolist() == [50, 60]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tokens": [-1, 30]}, "row 0: a length of -1 tokens must lie between 0 and"),
        ({"tokens": [47, 2_000_000_000]}, "row 1: a length of 2000000000 tokens"),
        ({"tokens": [47, None]}, "row 1: a value is missing"),
        ({"finish": ["stop", "bored"]}, "row 1: a branch cannot finish with 'bored'"),
        ({"branch": [0, 2]}, "row 1: is not branch 1 of question 0"),
        ({"branch": [1, 0]}, "row 0: is not branch 0 of question 0"),
        ({"question": [3, 1]}, "row 1: question 1 comes after question 3"),
        ({"question": [0, 1]}, "row 1: is not branch 0 of question 1"),
        ({"problem": ["?", "!"]}, "row 1: is not branch 1 of question 0"),
        ({"probe_tokens": [[20, 40], []]}, "row 1: has 1 probes and 0 token counts"),
        ({"probe_tokens": [[20, 20], [20]]}, "row 0: each probe must come after more tokens"),
        ({"probe_tokens": [[-20, 20], [20]]}, "row 0: its probes have token counts that do not lie"),
        ({"probe_tokens": [[20, 41], [20]]}, "row 0: its probes are more than the interval of 20 tokens apart"),
        ({"probe_tokens": pa.array([[20, None], [20]], pa.list_(pa.int32()))}, "row 0: a number of a probe is missing"),
        ({"probe_costs": [[3], [3]]}, "row 0: has 2 probes and 1 costs"),
        ({"probes": [["8", "7"], None]}, "row 1: a value is missing"),
        ({"score": [float("nan"), 0.0]}, "row 0: nan is no log-probability or score"),
        ({"answer": ["x" * (1 << 24) + "y", "7"]}, "row 0: a text of 16,777,217 characters"),
        ({"answer": None}, "needs one column 'answer', has 0"),
        ({"tokens": pa.array(["47", "30"])}, "column 'tokens' holds string, not int32"),
        ({"probes": pa.array([[1], [2]])}, "column 'probes' holds lists of int64, not lists of string"),
    ],
)
def test_an_impossible_row_is_named(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    assert words in refusal(forged(tmp_path / "t.parquet", **changed))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"version": 2}, "format version 2 is newer than 1, the last one known; upgrade Ponder"),
        ({"version": "1"}, "version of the format must be a whole number"),
        ({"version": 1, "interval": 0}, "the interval of 0 tokens must lie between 1"),
        ({"version": 1, "interval": "20"}, "the interval must be a whole number"),
        ({"version": 1, "model": 3}, "model must be text"),
        ({}, "no JSON object with a version"),
        ([], "no JSON object with a version"),
        ("x", "no JSON object with a version"),
    ],
)
def test_what_a_file_says_of_itself_is_not_believed(tmp_path: Path, about: Any, words: str) -> None:
    file = written(tmp_path / "t.parquet", GOOD)
    pq.write_table(pq.read_table(file).replace_schema_metadata({ABOUT: json.dumps(about)}), file)
    with file.open("r+b") as stream:
        seal(stream)
    assert words in refusal(file)


def test_other_parquet_is_no_trace(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    assert "was not written by Ponder" in refusal(tmp_path / "t.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 5, b"text\n" * 100])
def test_no_parquet_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    assert "no valid Parquet (it is cut off, or something else)" in refusal(tmp_path / "t.parquet")


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.parquet")
    (tmp_path / "f.parquet").mkdir()
    assert "a folder without *.parquet files" in refusal(tmp_path / "f.parquet")


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Trace]:
    other = dataclasses.replace(GOOD, text="and?", reference=None)
    file = written(tmp_path_factory.mktemp("trace") / "t.parquet", GOOD, other, GOOD)
    return file.read_bytes(), load_trace(file)


@settings(max_examples=150)
@given(st.data())
def test_a_flipped_byte_is_noticed_or_changes_nothing(intact: tuple[bytes, Trace], data: st.DataObject) -> None:
    damaged = bytearray(intact[0])
    damaged[data.draw(st.integers(0, len(damaged) - 1), "position")] ^= data.draw(st.integers(1, 255), "flip")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.parquet"
        file.write_bytes(damaged)
        try:
            read = load_trace(file)
        except TraceError as error:
            refused = str(error)
        else:
            assert same(read, intact[1])
            return
    assert refused.startswith(str(file))
    assert "\n" not in refused


@settings(max_examples=50)
@given(st.data())
def test_a_truncated_file_is_refused(intact: tuple[bytes, Trace], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.parquet"
        file.write_bytes(intact[0][: data.draw(st.integers(0, len(intact[0]) - 1))])
        assert "no valid Parquet" in refusal(file)


def test_shards_are_one_trace_only_if_they_belong_together(tmp_path: Path) -> None:
    for number, interval in ((0, 20), (1, 20), (2, 30)):
        with TraceWriter(tmp_path / f"{number}.parquet", About(name="t", interval=interval)) as writer:
            writer.add(GOOD, number)
    assert "belongs to another trace: its interval is 30, not 20" in refusal_of_folder(tmp_path)
    (tmp_path / "2.parquet").unlink()
    assert len(load_trace(tmp_path).questions) == 2
    (tmp_path / "0.parquet").rename(tmp_path / "3.parquet")
    assert "question 0 comes after question 1" in refusal_of_folder(tmp_path)


def test_one_question_without_a_reference(tmp_path: Path) -> None:
    trace = load_trace(written(tmp_path / "t.parquet", RecordedQuestion("?", None, GOOD.branches)))
    played = play(trace, "self-consistency(n=2)")
    assert (played.accuracy, played.standard_error) == (0.0, None)


def test_a_thousand_different_answers(tmp_path: Path) -> None:
    branches = [RecordedBranch([f"{b}.{i}" for i in range(10)], 220, f"{b}") for b in range(100)]
    trace = load_trace(written(tmp_path / "t.parquet", RecordedQuestion("?", "99", branches)))
    assert len(trace.answers[0]) == 1100
    order = list(range(100))
    random.Random(0).shuffle(order)
    # All have one vote, so the branch that was opened first decides.
    assert play(trace, "self-consistency(n=100)").answers.tolist() == [trace.finals[order[0]]]


def test_an_answer_of_a_megabyte_is_kept_once(tmp_path: Path) -> None:
    long = "9" * 1_000_000
    branches = [RecordedBranch([long] * 20, 420, long) for _ in range(16)]
    file = written(tmp_path / "t.parquet", RecordedQuestion("?", long, branches))
    assert file.stat().st_size < 100_000
    assert load_trace(file).answers == ((long,),)


def test_a_small_file_does_not_unpack_to_any_size(tmp_path: Path) -> None:
    many = (1 << 24) + 1
    bomb = pa.array([[None] * many, [None]], pa.list_(pa.string()))
    file = forged(tmp_path / "t.parquet", probes=bomb)
    assert file.stat().st_size < 20_000
    assert "more than 16,777,216 values in a column" in refusal(file)


def test_what_cannot_be_read_again_is_not_written(tmp_path: Path) -> None:
    impossible = [
        RecordedQuestion("?", "7", [RecordedBranch([], -1, "7")]),
        RecordedQuestion("?", "7", [RecordedBranch([], 1, "7" * ((1 << 24) + 1))]),
        RecordedQuestion("?", "7", [RecordedBranch([], 1, "\ud800")]),
        RecordedQuestion("?", "7", []),
    ]
    for question in impossible:
        with pytest.raises(TraceError, match="question 0"):
            written(tmp_path / "t.parquet", question)
    with pytest.raises(TraceError, match="question 1 has 1 branches, those before it have 2"):
        written(tmp_path / "t.parquet", GOOD, RecordedQuestion("?", "7", GOOD.branches[:1]))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"cannot write .*No such file"):
        written(tmp_path / "nowhere/t.parquet", GOOD)


def play(trace: Trace, spec: str) -> Any:
    plan = parse_controller(spec)
    return replay(trace, plan.controller.program, plan.arguments, orders=1, interpreted=True)


def refusal_of_folder(folder: Path) -> str:
    with pytest.raises(TraceError) as caught:
        load_trace(folder)
    return str(caught.value)


def test_an_empty_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="has no questions"):
        written(tmp_path / "t.parquet")
    written(tmp_path / "t.parquet", GOOD)
    assert "has no questions" in refusal(forged(tmp_path / "t.parquet", rows=0))
