"""Files that may be packed."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from ponder.core.errors import MissingCapability, TraceError

__all__ = ["unpacked"]

MOST_BYTES = 1 << 31
"""No published file is a hundredth of this; a packed one may be made to unpack to anything."""


def unpacked(file: Path) -> bytes:
    """What is in a file, which is packed if its name ends in ``.gz`` or ``.zst``.

    Raises:
        TraceError: it cannot be read, is not so packed, or too large.
        MissingCapability: a ``.zst`` file, and zstandard is not installed.
    """
    try:
        if file.suffix == ".gz":
            with gzip.open(file) as stream:
                data = stream.read(MOST_BYTES)
        elif file.suffix == ".zst":
            data = _zst(file)
        else:
            with file.open("rb") as plain:
                data = plain.read(MOST_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{file}: no valid gzip: {error}") from error
    except OSError as error:
        raise TraceError(f"cannot read {file}: {error.strerror or error}") from error
    if len(data) >= MOST_BYTES:
        raise TraceError(f"{file}: unpacks to {MOST_BYTES:,} bytes or more")
    return data


def _zst(file: Path) -> bytes:
    try:
        import zstandard
    except ModuleNotFoundError:
        raise MissingCapability("a .zst file needs zstandard: pip install 'ponder[replay]'") from None
    try:
        with file.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            return stream.read(MOST_BYTES)
    except zstandard.ZstdError as error:
        raise TraceError(f"{file}: no valid Zstandard: {error}") from error
