"""Traces on disk: what is written is what is read."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import INTERVAL, same, written
from worlds import GENERATED, QWEN, recorded_file

from ponder.core.methods.controller import parse_controller
from ponder.replay.importers.autotts import import_autotts, read_autotts
from ponder.replay.load import load_trace
from ponder.replay.play.controllers import replay
from ponder.replay.traces.about import About
from ponder.replay.traces.read import TraceFile
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, build

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
reals = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def branches(draw: st.DrawFn) -> RecordedBranch:
    probes = draw(st.lists(st.none() | texts, max_size=5))
    count = len(probes)
    growth = draw(st.lists(st.integers(1, INTERVAL), min_size=count, max_size=count))
    costs = st.lists(st.integers(0, 30), min_size=count, max_size=count)
    return RecordedBranch(
        probes=probes,
        length=draw(st.integers(0, 1000)),
        final=draw(st.none() | texts),
        probe_tokens=np.cumsum(growth).tolist(),
        probe_costs=draw(st.none() | costs),
        finish=draw(st.sampled_from(["stop", "length"])),
        text=draw(st.none() | texts),
        logprob=draw(reals),
        score=draw(reals),
    )


@st.composite
def questions(draw: st.DrawFn) -> list[RecordedQuestion]:
    width = draw(st.integers(1, 4))
    some = st.lists(branches(), min_size=width, max_size=width)
    return draw(st.lists(st.builds(RecordedQuestion, texts, st.none() | texts, some), min_size=1, max_size=5))


@settings(max_examples=60)
@given(questions())
def test_what_is_written_is_read(recorded: list[RecordedQuestion]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder) / "t.parquet", *recorded)
        assert list(TraceFile(file).questions(texts=True)) == list(enumerate(recorded))
        assert same(load_trace(file), build("M/task", INTERVAL, recorded))


def test_a_trace_says_what_it_is(tmp_path: Path) -> None:
    about = {"model": "m", "settings": {"temperature": 0.7}, "probe": "now?", "source": "s", "made": "2026-01-01"}
    trace = load_trace(written(tmp_path / "t.parquet", QUESTION, **about, versions={"ponder": "1"}))
    assert trace.about == About(name="M/task", interval=INTERVAL, **about, versions={"ponder": "1"})


def test_texts_are_read_only_when_asked_for(tmp_path: Path) -> None:
    file = TraceFile(written(tmp_path / "t.parquet", QUESTION))
    assert [[branch.text for branch in question.branches] for _, question in file.questions()] == [[None]]
    assert [[branch.text for branch in question.branches] for _, question in file.questions(texts=True)] == [["so 7"]]


QUESTION = RecordedQuestion("?", "7", [RecordedBranch(["8", "7"], 47, "7", text="so 7")])


@pytest.mark.parametrize("name", [GENERATED, QWEN[0]])
def test_published_traces_give_the_same_figures_from_either_format(tmp_path: Path, name: str) -> None:
    source = recorded_file(name)
    published = read_autotts(source)
    file = tmp_path / "t.parquet"
    import_autotts(source, file)
    stored = load_trace(file)
    assert same(stored, published)
    plan = parse_controller("cmc@0.5")
    runs = [replay(trace, plan.controller.program, plan.arguments, orders=3) for trace in (published, stored)]
    assert (runs[0].tokens == runs[1].tokens).all()
    assert (runs[0].answers == runs[1].answers).all()
