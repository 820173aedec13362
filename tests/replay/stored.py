"""Small traces on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from ponder.replay.traces.about import About
from ponder.replay.traces.trace import RecordedQuestion, Trace
from ponder.replay.traces.write import TraceWriter

__all__ = ["INTERVAL", "same", "written"]

INTERVAL = 20


def written(file: Path, *recorded: RecordedQuestion, **about: Any) -> Path:
    """A file with these questions."""
    with TraceWriter(file, About(name="M/task", interval=INTERVAL, **about)) as writer:
        for number, question in enumerate(recorded):
            writer.add(question, number)
    return file


def same(left: Trace, right: Trace) -> bool:
    """True when every column of both is, whatever they say of themselves."""
    names = {field.name for field in dataclasses.fields(Trace)} - {"about"}
    return all(_same(getattr(left, name), getattr(right, name)) for name in names)


def _same(left: Any, right: Any) -> bool:
    if not isinstance(left, np.ndarray):
        return bool(left == right)
    return np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
