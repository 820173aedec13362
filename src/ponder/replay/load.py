"""A recorded trace from disk, whatever its format."""

from __future__ import annotations

from pathlib import Path

from ponder.core.errors import TraceError
from ponder.replay.importers.autotts import read_autotts
from ponder.replay.traces.read import load_parquet
from ponder.replay.traces.trace import Trace

__all__ = ["load_trace", "shipped"]


def load_trace(file: Path) -> Trace:
    """The trace in a Parquet file or in a folder of them, or in a JSON file as AutoTTS publishes it.

    Of a folder all files ``*.parquet`` are read, in the order of their names.

    Raises:
        TraceError: the file cannot be read, or is not what it should be.
        MissingCapability: a Parquet file, and pyarrow is not installed.
    """
    if file.is_dir():
        shards = sorted(file.glob("*.parquet"))
        if not shards:
            raise TraceError(f"{file}: a folder without *.parquet files")
        return load_parquet(shards)
    return load_parquet([file]) if file.suffix == ".parquet" else read_autotts(file)


def shipped() -> Path:
    """The trace that comes with Ponder: 40 sums × 16 branches of a small model, with probes."""
    return Path(__file__).with_name("shipped") / "chain-sum.parquet"
