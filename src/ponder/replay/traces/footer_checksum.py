"""A checksum over the footer of a Parquet file.

Parquet has checksums for its pages and none for its footer, and a reader that follows a damaged footer may end the
whole process. So the eight bytes before the footer are a mark and the CRC-32 of all that follows them. Other readers
go by the offsets that the footer gives, and do not see them.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO

__all__ = ["check_seal", "seal"]

MARK = b"PNDR"
MOST_BYTES = 1 << 28
"""In a footer."""


def seal(file: BinaryIO) -> None:
    """Put the checksum into a finished Parquet file."""
    footer = _footer(file)
    file.seek(-len(footer), os.SEEK_END)
    file.write(MARK + struct.pack("<I", zlib.crc32(footer)) + footer)


def check_seal(file: BinaryIO) -> None:
    """See that the footer is as it was written.

    Raises:
        ValueError: it is not, or there is none.
    """
    footer = _footer(file)
    file.seek(-len(footer) - 8, os.SEEK_END)
    if file.read(8) != MARK + struct.pack("<I", zlib.crc32(footer)):
        raise ValueError("the footer is damaged, or was not written by Ponder")


def _footer(file: BinaryIO) -> bytes:
    """The footer with its length and the magic number that end the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    end = file.read(8)
    length = struct.unpack("<I", end[:4])[0] + 8 if end[4:] == b"PAR1" else 0
    if not 8 < length <= min(MOST_BYTES, size - 12):
        raise ValueError("it is cut off, or something else")
    file.seek(-length, os.SEEK_END)
    return file.read(length)
