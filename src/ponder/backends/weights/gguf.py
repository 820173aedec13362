"""A first look at a file that should be a model."""

from __future__ import annotations

import stat
from pathlib import Path

from ponder.core.errors import WeightsError

__all__ = ["checked_gguf"]

_MAGIC = b"GGUF"
_LOOKALIKES = (
    (b"version https://git-lfs", "a Git LFS pointer; fetch the real file with `git lfs pull`"),
    (b"<", "a web page or XML; download the file itself, not its page"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"ggml", "an old GGML model; convert it to GGUF"),
    (b"", "something else; give a .gguf model file"),
)


def checked_gguf(path: Path) -> Path:
    """`path` itself, if a GGUF file is there.

    Raises:
        WeightsError: nothing is there, it cannot be read, or it is no GGUF file.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise WeightsError(f"{path} is a folder; give the path of one .gguf file{_first_inside(path)}")
        if not stat.S_ISREG(mode):
            raise WeightsError(f"{path} is not a regular file; give the path of a .gguf model file")
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise WeightsError(f"no model file at {path}; check the path") from None
    except OSError as error:
        raise WeightsError(f"cannot read the model file {path}: {error.strerror}") from error
    if not head:
        raise WeightsError(f"{path} is empty; it should be a GGUF model file")
    if not head.startswith(_MAGIC):
        kind = next(text for start, text in _LOOKALIKES if head.startswith(start))
        raise WeightsError(f"{path} is no GGUF model file (it starts with {head[:4]!r}): it is {kind}")
    return path


def _first_inside(folder: Path) -> str:
    inside = sorted(folder.glob("*.gguf"))
    return f", for example {inside[0]}" if inside else ""
