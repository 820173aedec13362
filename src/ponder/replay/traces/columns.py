"""The columns of a trace on disk: Parquet, one row a branch. docs/traces.md describes them."""

from __future__ import annotations

from typing import Any

from ponder.core.errors import MissingCapability

__all__ = ["ABOUT", "FINISHES", "MOST_BYTES", "MOST_TEXT", "NEEDED", "REPETITIVE", "arrow", "schema"]

ABOUT = b"ponder.trace"
"""The key of the file's metadata under which it says what it is."""

MOST_TEXT = 1 << 24
"""Bytes in one text."""

MOST_BYTES = 1 << 30
"""In all texts and numbers of a trace but what the branches wrote."""

FINISHES = ("stop", "length")

NEEDED = (
    "question",
    "problem",
    "reference",
    "branch",
    "probes",
    "probe_tokens",
    "probe_costs",
    "answer",
    "tokens",
    "finish",
    "logprob",
    "score",
)
"""All columns but the text of the branches, which is most of a file and which no method looks at."""

REPETITIVE = ("problem", "reference", "probes.list.element", "answer", "finish")
"""The texts that repeat, each kept once in a row group. A name is the path by which Parquet knows the column."""


def arrow() -> Any:
    """The module ``pyarrow``, which has no types.

    Raises:
        MissingCapability: it is not installed.
    """
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise MissingCapability("recorded traces need pyarrow: pip install 'ponder[replay]'") from None
    return pyarrow


def schema() -> Any:
    """The schema of a file."""
    pa = arrow()

    def column(name: str, kind: Any, empty: bool = False) -> Any:
        return pa.field(name, kind, nullable=empty)

    numbers = pa.list_(pa.field("element", pa.int32(), nullable=False))
    return pa.schema(
        [
            column("question", pa.int32()),
            column("problem", pa.string()),
            column("reference", pa.string(), empty=True),
            column("branch", pa.int32()),
            column("probes", pa.list_(pa.field("element", pa.string()))),
            column("probe_tokens", numbers),
            column("probe_costs", numbers, empty=True),
            column("answer", pa.string(), empty=True),
            column("tokens", pa.int32()),
            column("finish", pa.string()),
            column("logprob", pa.float64(), empty=True),
            column("score", pa.float64(), empty=True),
            column("text", pa.string(), empty=True),
        ]
    )
