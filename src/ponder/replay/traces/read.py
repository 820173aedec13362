"""A trace read from disk. It may come from a stranger: nothing in it is taken on trust."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ponder.core.errors import TraceError
from ponder.replay.traces.about import About, read_about
from ponder.replay.traces.columns import ABOUT, FINISHES, MOST_BYTES, MOST_TEXT, NEEDED, REPETITIVE, arrow, schema
from ponder.replay.traces.footer_checksum import check_seal
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, Trace, build, flaw

__all__ = ["TraceFile", "load_parquet"]

MOST_ROWS = 1 << 16
"""In one row group."""

MOST_VALUES = 1 << 24
"""In one column of a file: a few bytes may stand for any number of equal ones."""

Row = tuple[int, str, str | None, int, RecordedBranch]


def load_parquet(files: Sequence[Path]) -> Trace:
    """The trace in these files, which hold some questions each, in this order.

    Raises:
        TraceError: one cannot be read or is not what it should be; the text names the file and the row.
    """
    about: About | None = None
    questions: list[RecordedQuestion] = []
    last = -1
    for path in files:
        file = TraceFile(path)
        about = about or file.about
        for what in ("name", "model", "interval", "settings"):
            ours, theirs = (getattr(each, what) for each in (file.about, about))
            if ours != theirs:
                raise TraceError(f"{path}: belongs to another trace: its {what} is {ours!r:.80}, not {theirs!r:.80}")
        for number, question in file.questions():
            if number <= last:
                raise TraceError(f"{path}: question {number} comes after question {last}")
            last = number
            questions.append(question)
    if about is None:
        raise TraceError("a trace has at least one file")
    return build(about.name, about.interval, questions, about=about)


class TraceFile:
    """A Parquet file of questions, of which only what is asked for is read.

    Raises:
        TraceError: it cannot be read, is no trace, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pa = arrow()
        with self._reading():
            with path.open("rb") as stream:
                check_seal(stream)
            metadata = self._pa.parquet.read_metadata(path)
            there = {metadata.schema.column(at).path for at in range(metadata.num_columns)}
            self._file = self._pa.parquet.ParquetFile(
                path,
                metadata=metadata,
                memory_map=True,
                page_checksum_verification=True,
                read_dictionary=[column for column in REPETITIVE if column in there],
            )
            about = (self._file.metadata.metadata or {}).get(ABOUT)
        if about is None:
            raise TraceError(f"{path}: a Parquet file, but no trace: its metadata have no {ABOUT.decode()!r}")
        self.about = read_about(path, about)
        self._check_schema()
        self._check_sizes(metadata)

    def questions(self, *, texts: bool = False) -> Iterator[tuple[int, RecordedQuestion]]:
        """The questions with their numbers; `texts` asks for what the branches wrote, too.

        Raises:
            TraceError: a row is damaged or impossible.
        """
        number, first = -1, -1
        rows: list[Row] = []
        for at, row in enumerate(self._rows(texts)):
            if rows and row[0] != number:
                yield number, self._question(first, rows)
                rows = []
            if not rows:
                if row[0] <= number:
                    raise self._damaged(at, f"question {row[0]} comes after question {number}")
                number, first = row[0], at
            rows.append(row)
        if not rows:
            raise TraceError(f"{self._path}: has no questions")
        yield number, self._question(first, rows)

    def _question(self, first: int, rows: list[Row]) -> RecordedQuestion:
        """The question whose branches begin at row `first`."""
        _, text, reference, _, _ = rows[0]
        for b, row in enumerate(rows):
            if row[1:4] != (text, reference, b):
                raise self._damaged(first + b, f"is not branch {b} of question {row[0]} as it began")
        return RecordedQuestion(text, reference, [row[4] for row in rows])

    def _rows(self, texts: bool) -> Iterator[Row]:
        at = 0
        for group in range(self._file.metadata.num_row_groups):
            for row in self._group(group, texts):
                yield self._row(at, *row)
                at += 1

    def _group(self, group: int, texts: bool) -> Iterator[tuple[Any, ...]]:
        """The rows of a row group, in the order of the columns."""
        names = [*NEEDED, "text"] if texts else NEEDED
        with self._reading(f"row group {group}"):
            table = self._file.read_row_group(group, columns=names, use_threads=False)
            table.validate(full=True)
            columns = [list(_values(table.column(name))) for name in names]
        if not texts:
            columns.append([None] * table.num_rows)
        return zip(*columns, strict=True)

    def _row(
        self, at: int, question: int, problem: str, reference: str | None, branch: int, probes: list[str | None],
        probe_tokens: list[int], probe_costs: list[int] | None, answer: str | None, tokens: int, finish: str,
        logprob: float | None, score: float | None, text: str | None,
    ) -> Row:  # fmt: skip
        if None in (question, problem, branch, probes, probe_tokens, tokens, finish):
            raise self._damaged(at, "a value is missing")
        if None in probe_tokens or None in (probe_costs or ()):
            raise self._damaged(at, "a number of a probe is missing")
        for said in (problem, reference, answer, text, *probes):
            if said is not None and len(said) > MOST_TEXT:
                raise self._damaged(at, f"a text of {len(said):,} characters; the limit is {MOST_TEXT:,} bytes")
        if finish not in FINISHES:
            raise self._damaged(at, f"a branch cannot finish with {finish!r:.40}")
        for value in (logprob, score):
            if value is not None and not math.isfinite(value):
                raise self._damaged(at, f"{value} is no log-probability or score")
        recorded = RecordedBranch(
            probes, tokens, answer, probe_tokens, probe_costs, "length" if finish == "length" else "stop",
            text, logprob, score,
        )  # fmt: skip
        if wrong := flaw(self.about.interval, recorded):
            raise self._damaged(at, wrong)
        return question, problem, reference, branch, recorded

    def _check_schema(self) -> None:
        found = self._file.schema_arrow
        for field in schema():
            if found.names.count(field.name) != 1:
                raise TraceError(f"{self._path}: needs one column {field.name!r}, has {found.names.count(field.name)}")
            kind = self._plain(found.field(field.name).type)
            if kind != self._plain(field.type):
                raise TraceError(f"{self._path}: column {field.name!r} holds {kind}, not {self._plain(field.type)}")

    def _check_sizes(self, metadata: Any) -> None:
        """See that what the footer announces is bearable."""
        values: Counter[str] = Counter()
        unpacked: Counter[str] = Counter()
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            if not 0 <= group.num_rows <= MOST_ROWS:
                raise TraceError(f"{self._path}: a row group of {group.num_rows:,} rows; the limit is {MOST_ROWS:,}")
            for column in map(group.column, range(group.num_columns)):
                name = column.path_in_schema
                values[name] += column.num_values
                unpacked[name] += column.total_uncompressed_size
        unpacked["text"] = 0  # which is read in parts
        if max(values.values(), default=0) > MOST_VALUES:
            raise TraceError(f"{self._path}: more than {MOST_VALUES:,} values in a column")
        if unpacked.total() > MOST_BYTES:
            raise TraceError(f"{self._path}: unpacks to more than {MOST_BYTES:,} bytes")

    def _plain(self, kind: Any) -> str:
        """The type of a column, whether it is kept as a dictionary or not."""
        types = self._pa.types
        if types.is_list(kind):
            return f"lists of {self._plain(kind.value_type)}"
        return str(kind.value_type if types.is_dictionary(kind) else kind)

    def _damaged(self, row: int, what: str) -> TraceError:
        return TraceError(f"{self._path}: row {row}: {what}")

    @contextmanager
    def _reading(self, where: str = "") -> Iterator[None]:
        place = f"{self._path}: {where}: " if where else f"{self._path}: "
        try:
            yield
        except (self._pa.ArrowException, ValueError, IndexError) as error:
            raise TraceError(f"{place}no valid Parquet ({_line(error)})") from error
        except OSError as error:
            if error.errno is None:  # pyarrow raises these for damaged pages
                raise TraceError(f"{place}no valid Parquet ({_line(error)})") from error
            raise TraceError(f"cannot read {self._path}: {error.strerror}") from error


def _values(column: Any) -> Iterator[Any]:
    """The values of a column; equal texts of a dictionary are one object."""
    for chunk in column.chunks:
        yield from _chunk(chunk)


def _chunk(chunk: Any) -> list[Any]:
    if hasattr(chunk, "dictionary"):
        words = chunk.dictionary.to_pylist()
        return [None if at is None else words[at] for at in chunk.indices.to_pylist()]
    if hasattr(chunk, "flatten") and hasattr(chunk, "offsets"):
        inner, start = _chunk(chunk.values), chunk.offsets.to_pylist()
        there = chunk.is_valid().to_pylist()
        spans = zip(start, start[1:], there, strict=False)
        return [inner[begin:end] if valid else None for begin, end, valid in spans]
    return list(chunk.to_pylist())


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
