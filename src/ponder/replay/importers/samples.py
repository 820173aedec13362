"""Sets of whole samples that others have drawn: width without depth. One JSON object a line is a question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ponder.core.errors import TraceError
from ponder.replay.importers.mapping import Mapping
from ponder.replay.importers.packed import unpacked
from ponder.replay.traces.about import About
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion
from ponder.replay.traces.write import TraceWriter

__all__ = ["import_samples"]

Extract = Callable[[str], str | None]
Record = dict[str, Any]


def import_samples(files: Sequence[Path], mapping: Mapping, out: Path, extract: Extract) -> int:
    """Write the samples in `files` to `out`; returns the number of questions.

    Several files are one set: line i of each is about the same question, and adds fields to it. `extract` finds
    answers where the mapping does not say how.

    Raises:
        TraceError: a file cannot be read or written, or a line is not what the mapping says; the text names the line.
    """
    source = " + ".join(file.name for file in files)
    about = About(
        name=mapping.name or files[0].name.split(".json")[0],
        model=mapping.model,
        source=source,
        settings={"mapping": {key: value for key, value in asdict(mapping).items() if value is not None}},
    )
    count = 0
    with TraceWriter(out, about) as writer:
        for place, record in _joined(files):
            writer.add(_question(place, record, mapping, extract), count)
            count += 1
    return count


def _joined(files: Sequence[Path]) -> Iterator[tuple[str, Record]]:
    sets = [_lines(file) for file in files]
    for file, lines in zip(files, sets, strict=True):
        if len(lines) != len(sets[0]):
            raise TraceError(f"{file}: has {len(lines):,} lines, {files[0]} {len(sets[0]):,}")
    for number in range(len(sets[0])):
        record: Record = {}
        for file, lines in zip(files, sets, strict=True):
            record = _record(f"{file}, line {number + 1}", lines[number]) | record
        yield f"{files[0]}, line {number + 1}", record


def _lines(file: Path) -> list[bytes]:
    lines = unpacked(file).split(b"\n")
    return lines if lines[-1].strip() else lines[:-1]


def _record(place: str, line: bytes) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{place}: no valid JSON ({' '.join(str(error).split())})") from None
    if not isinstance(record, dict):
        raise TraceError(f"{place}: must be a JSON object")
    return record


def _question(place: str, record: Record, mapping: Mapping, extract: Extract) -> RecordedQuestion:
    question = _field(place, record, mapping.question)
    reference = None
    if mapping.reference is not None:
        reference = _text(place, mapping.reference, _field(place, record, mapping.reference))
    if mapping.pairs is not None:
        record, mapping = _unpaired(place, record, mapping, mapping.pairs)
    columns = _Columns(place, record, mapping)
    texts = columns.of(mapping.samples, _whole_text)
    answers = columns.of(mapping.answers, _text)
    if mapping.answers is None:
        answers = [_find(text, mapping, extract) for text in texts]
    if mapping.correct is not None:
        reference = "correct" if reference is None else reference
        marks = columns.of(mapping.correct, _flag)
        answers = [_marked(answer, right, reference) for answer, right in zip(answers, marks, strict=True)]
    lengths = columns.of(mapping.lengths, _count)
    if mapping.lengths is None:
        lengths = [round(len(text) / mapping.characters_per_token) for text in texts]
    scores = columns.of(mapping.scores, _number)
    branches = [
        RecordedBranch([], length, answer, text=text, score=score)
        for length, answer, text, score in zip(lengths, answers, texts, scores, strict=True)
    ]
    return RecordedQuestion(_text(place, mapping.question, question) or "", reference, branches)


def _unpaired(place: str, record: Record, mapping: Mapping, name: str) -> tuple[Record, Mapping]:
    """The record with a list of its own for the answers and for the lengths of its pairs, and the mapping to these."""
    pairs = _field(place, record, name)
    if not isinstance(pairs, list) or not pairs:
        raise TraceError(f"{place}: {name} must be a list of [answer, tokens]")
    for at, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            raise TraceError(f"{place}: {name}[{at}] must be [answer, tokens], not {pair!r:.40}")
    answers, lengths = f"{name}: answer", f"{name}: tokens"
    apart = {answers: [answer for answer, _ in pairs], lengths: [tokens for _, tokens in pairs]}
    return record | apart, replace(mapping, pairs=None, answers=answers, lengths=lengths)


class _Columns:
    """The fields of a record that hold one value for each sample."""

    def __init__(self, place: str, record: Record, mapping: Mapping) -> None:
        self._place = place
        self._record = record
        self._count = len(self._list(mapping.samples or mapping.answers or ""))

    def of(self, name: str | None, read: Callable[[str, str, Any], Any]) -> list[Any]:
        """The values of a field as `read` takes them; nothing for each sample if there is no such field."""
        if name is None:
            return [None] * self._count
        values = self._list(name)
        if len(values) != self._count:
            raise TraceError(f"{self._place}: {name} has {len(values)} values for {self._count} samples")
        return [read(self._place, f"{name}[{at}]", value) for at, value in enumerate(values)]

    def _list(self, name: str) -> list[Any]:
        values = _field(self._place, self._record, name)
        if not isinstance(values, list) or not values:
            raise TraceError(f"{self._place}: {name} must be a list with a value for each sample")
        return values


def _field(place: str, record: Record, name: str) -> Any:
    if name not in record:
        raise TraceError(f"{place}: has no {name!r}; its fields are {', '.join(record)[:200]}")
    return record[name]


def _text(place: str, name: str, value: Any) -> str | None:
    """An answer, a reference, a question; blanks are none."""
    if not isinstance(value, str | int | float | None):
        raise TraceError(f"{place}: {name} must be text or a number, not {value!r:.40}")
    return None if value is None else str(value).strip() or None


def _whole_text(place: str, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TraceError(f"{place}: {name} must be text, not {value!r:.40}")
    return value


def _flag(place: str, name: str, value: Any) -> bool:
    if value not in (0, 1):
        raise TraceError(f"{place}: {name} must be true or false, not {value!r:.40}")
    return bool(value)


def _count(place: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TraceError(f"{place}: {name} must be a whole number, not {value!r:.40}")
    return value


def _number(place: str, name: str, value: Any) -> float | None:
    """A score, or a list of one, as reward models give it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, bool | int | float | None) or value != value:
        raise TraceError(f"{place}: {name} must be a number, not {value!r:.40}")
    return None if value is None else float(value)


def _find(text: str, mapping: Mapping, extract: Extract) -> str | None:
    """The answer in a text."""
    if mapping.extract is None:
        return extract(text)
    found = None
    for match in re.finditer(mapping.extract, text):
        found = match
    return (found[1 if found.re.groups else 0] or "").strip() or None if found else None


def _marked(answer: str | None, right: bool, reference: str) -> str | None:
    """The answer as one that is equal to the reference exactly if it was marked right."""
    if right:
        return reference
    return f"{answer} (marked wrong)" if answer == reference else answer
