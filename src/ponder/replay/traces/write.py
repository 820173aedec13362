"""A trace written to disk, a few questions at a time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ponder.core.errors import TraceError
from ponder.replay.traces.about import About, write_about
from ponder.replay.traces.columns import ABOUT, MOST_TEXT, REPETITIVE, arrow, schema
from ponder.replay.traces.footer_checksum import seal
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, flaw

__all__ = ["TraceWriter"]

ROWS = 4096
"""In a row group, unless one question has more."""

CHARACTERS = 1 << 24
"""Of text in a row group, about."""


class TraceWriter:
    """Writes a trace to `file`, which appears when the ``with`` block ends well, whole, and not before.

    Raises:
        TraceError: the file cannot be written, or a question is impossible.
        MissingCapability: pyarrow is not installed.
    """

    def __init__(self, file: Path, about: About) -> None:
        self._pyarrow = arrow()
        self._file = file
        self._unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        self._about = about
        self._rows: list[dict[str, Any]] = []
        self._characters = 0
        self._last = -1
        self._width = 0
        self._sink = self._attempt(self._unfinished.open, "w+b")
        self._writer = self._pyarrow.parquet.ParquetWriter(
            self._sink,
            schema(),
            compression="zstd",
            use_dictionary=["question", *REPETITIVE],
            dictionary_pagesize_limit=1 << 28,  # or long answers would be written out again and again
            write_page_checksum=True,
            store_schema=False,  # what it says of itself is enough, and need not be believed,
        )

    def add(self, question: RecordedQuestion, number: int) -> None:
        """The next question; `number` is its place in the suite it comes from, larger than that of the one before."""
        if not self._last < number < 1 << 31:
            raise TraceError(f"{self._file}: question {number} comes after question {self._last}")
        self._last = number
        place = f"{self._file}: question {number}"
        width = len(question.branches)
        if not width or width != (self._width or width):
            raise TraceError(f"{place} has {width} branches, those before it have {self._width or 'none'}")
        self._width = width
        for text in (question.text, question.reference or ""):
            self._check_text(place, text)
        for b, branch in enumerate(question.branches):
            self._add(f"{place}, branch {b}", question, number, b, branch)
        if len(self._rows) >= ROWS or self._characters >= CHARACTERS:
            self._flush()

    def _add(self, place: str, question: RecordedQuestion, number: int, b: int, branch: RecordedBranch) -> None:
        if wrong := flaw(self._about.interval, branch):
            raise TraceError(f"{place}: {wrong}")
        for text in (branch.final or "", branch.text or "", *(probe or "" for probe in branch.probes)):
            self._check_text(place, text)
        interval = self._about.interval or 0
        multiples = [interval * (i + 1) for i in range(len(branch.probes))]
        self._rows.append(
            {
                "question": number,
                "problem": question.text,
                "reference": question.reference,
                "branch": b,
                "probes": branch.probes,
                "probe_tokens": multiples if branch.probe_tokens is None else branch.probe_tokens,
                "probe_costs": branch.probe_costs,
                "answer": branch.final,
                "tokens": branch.length,
                "finish": branch.finish,
                "logprob": branch.logprob,
                "score": branch.score,
                "text": branch.text,
            }
        )

    def _check_text(self, place: str, text: str) -> None:
        self._characters += len(text)
        try:
            size = len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError as error:
            raise TraceError(f"{place}: a text is not Unicode: character {error.start} is a lone surrogate") from None
        if size > MOST_TEXT:
            raise TraceError(f"{place}: a text of {size:,} bytes; the limit is {MOST_TEXT:,}")

    def _flush(self) -> None:
        if self._rows:
            table = self._pyarrow.Table.from_pylist(self._rows, schema=schema())
            self._attempt(self._writer.write_table, table, row_group_size=len(self._rows))
        self._rows, self._characters = [], 0

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._attempt(self._finish)
        finally:
            with suppress(Exception):  # what is thrown away anyway need not be closed well
                self._writer.close()
            with suppress(OSError):
                self._sink.close()
            self._unfinished.unlink(missing_ok=True)

    def _finish(self) -> None:
        if not self._width:
            raise TraceError(f"{self._file}: has no questions")
        self._flush()
        self._writer.add_key_value_metadata({ABOUT: write_about(self._about)})
        self._writer.close()
        seal(self._sink)
        self._sink.flush()
        os.fsync(self._sink.fileno())
        self._unfinished.replace(self._file)

    def _attempt(self, write: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return write(*arguments, **options)
        except OSError as error:
            raise TraceError(f"cannot write {self._file}: {error.strerror or error}") from error
