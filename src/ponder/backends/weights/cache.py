"""The cache on disk: one folder for each sha256, and in it the file under its own name.

A file gets its final name by one rename, after its hash was checked. From then on the name and the size are trusted,
so that a start does not read a gigabyte; `verify` reads it all again.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import sys
from pathlib import Path

from ponder.backends.weights.progress import human
from ponder.backends.weights.registry import ModelCard
from ponder.core.errors import WeightsError
from ponder.core.host.folders import cache_dir

__all__ = [
    "cache_dir",
    "cached",
    "folder_of",
    "install",
    "no_space",
    "require_space",
    "sha256_of",
    "storage_error",
    "verify",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if sys.platform != "win32" else (errno.ENOSPC,)


def folder_of(card: ModelCard) -> Path:
    """The folder that holds this file, its lock and what is there of it so far."""
    return cache_dir() / "models" / card.sha256


def cached(card: ModelCard) -> Path | None:
    """The file of `card` if the cache has it, without reading it."""
    path = folder_of(card) / card.file
    try:
        return path if path.stat().st_size == card.size else None
    except OSError:
        return None


def verify(card: ModelCard) -> Path:
    """Read the cached file of `card` and compare its sha256; returns its path.

    Raises:
        WeightsError: it is not in the cache, or not what it should be.
    """
    path = cached(card)
    if path is None:
        raise WeightsError(f"{card.name} is not in the cache ({folder_of(card)})")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    if found != card.sha256:
        raise WeightsError(f"{path} is damaged: sha256 {found}, expected {card.sha256}; delete it to fetch it again")
    return path


def install(card: ModelCard, candidate: Path) -> Path:
    """Give the checked file its final name, and drop the folder that it was put together in."""
    path = folder_of(card) / card.file
    candidate.replace(path)
    shutil.rmtree(candidate.parent, ignore_errors=True)
    return path


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_space(card: ModelCard, folder: Path, need: int) -> None:
    """Raise WeightsError unless `need` more bytes fit on the disk of `folder`."""
    if shutil.disk_usage(folder).free < need:
        raise no_space(card, folder, need)


def no_space(card: ModelCard, folder: Path, need: int | None = None) -> WeightsError:
    """The error for a full disk."""
    wanted = f"{human(need)} more needed, " if need is not None else ""
    free = human(shutil.disk_usage(folder).free)
    return WeightsError(
        f"no disk space for {card.name} in {folder} ({wanted}{free} free); "
        "free some space, or set PONDER_CACHE to a folder on another disk"
    )


def storage_error(card: ModelCard, error: OSError) -> WeightsError:
    """The error for a cache folder that cannot be written."""
    folder = cache_dir()
    if error.errno in _FULL:
        return no_space(card, next(place for place in (folder, *folder.parents) if place.exists()))
    return WeightsError(
        f"cannot store {card.name} in {folder}: {error.strerror or error}; "
        "set PONDER_CACHE to a folder that can be written"
    )
