"""The published traces of AutoTTS (Zheng et al. 2026, arXiv 2605.08083): one JSON list of questions a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ponder.core.errors import TraceError
from ponder.replay.importers.packed import unpacked
from ponder.replay.traces.about import About
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, Trace, build
from ponder.replay.traces.write import TraceWriter

__all__ = ["import_autotts", "read_autotts"]


def read_autotts(file: Path) -> Trace:
    """The trace in a ``.json``, ``.json.gz`` or ``.json.zst`` file; its name is ``MODEL/TASK`` as the file is called.

    Raises:
        TraceError: the file cannot be read, or is not what it should be; the text names the question and the branch.
    """
    about, questions = _read(file)
    return build(about.name, about.interval, questions, about=about)


def import_autotts(file: Path, out: Path) -> int:
    """Write the trace in `file` to `out` as Ponder keeps traces; returns the number of questions.

    Raises:
        TraceError: as `read_autotts`; or `out` cannot be written.
    """
    about, questions = _read(file)
    with TraceWriter(out, about) as writer:
        for number, question in enumerate(questions):
            writer.add(question, number)
    return len(questions)


def _read(file: Path) -> tuple[About, list[RecordedQuestion]]:
    records = _records(file)
    questions = list(_questions(file, records))
    intervals = {
        _whole(file, record.get("probe_freq"), f"question {q}: probe_freq") for q, record in enumerate(records)
    }
    if len(intervals) != 1:
        raise TraceError(f"{file}: probe_freq must be the same for all questions, not {sorted(intervals)}")
    model, _, task = file.name.split(".json")[0].rpartition(".")
    name = f"{model}/{task}" if model else task
    return About(name=name, interval=intervals.pop(), model=model, source=file.name), questions


def _records(file: Path) -> list[dict[str, Any]]:
    try:
        records = json.loads(unpacked(file))
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{file}: no valid JSON ({' '.join(str(error).split())})") from error
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise TraceError(f"{file}: must be a JSON list of questions, at least one")
    return records


def _questions(file: Path, records: list[dict[str, Any]]) -> Iterator[RecordedQuestion]:
    for q, record in enumerate(records):
        branches = record.get("each_branch")
        if not isinstance(branches, list):
            raise TraceError(f"{file}: question {q}: each_branch must be a list")
        reference = record.get("gold_answer")
        yield RecordedQuestion(
            text=str(record.get("question", "")),
            reference=None if reference is None else str(reference),
            branches=[_branch(file, f"question {q}, branch {b}", branch) for b, branch in enumerate(branches)],
        )


def _branch(file: Path, place: str, branch: Any) -> RecordedBranch:
    match branch:
        case [list(probes), length, final]:
            if not all(isinstance(probe, str) or probe is None for probe in (*probes, final)):
                raise TraceError(f"{file}: {place}: an answer must be text or null")
            return RecordedBranch(probes, _whole(file, length, f"{place}: token length"), final)
    raise TraceError(f"{file}: {place}: must be [probe answers, token length, final answer]")


def _whole(file: Path, value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TraceError(f"{file}: {what} must be a whole number, not {value!r:.40}")
    return value
