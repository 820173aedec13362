"""A model from the model hub: `huggingface_hub` finds it, `download` fetches it.

The library's own download starts anew after a kill, and retries a hub that is not there for half a minute, with
warnings; this gives up on a silent hub after a few seconds, before any byte, and resumes.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import anyio

from ponder.backends.weights.cache import require_space
from ponder.backends.weights.download import Remote, SourceFailed, download, open_session, size_of
from ponder.backends.weights.progress import FetchProgress, Meter
from ponder.backends.weights.registry import HubFile, ModelCard

__all__ = ["fetch_hub"]

PATIENCE = 5.0  # seconds for the hub to say what it has
T = TypeVar("T")


async def fetch_hub(card: ModelCard, source: HubFile, folder: Path, show: FetchProgress) -> Path:
    """The file of `card`, fetched into `folder` and not yet checked.

    Raises:
        SourceFailed: no hub, or not this file there.
        WeightsError: the disk is too full.
        OSError: `folder` cannot be written.
    """
    remote = await _look_up(card, source)
    to = folder / "hub.part"
    require_space(card, folder, card.size - size_of(to))
    meter = Meter(show, card.size, size_of(to))
    async with open_session() as http:
        await download(http, remote, to, limit=card.size, came=meter.add)
    return to


async def _look_up(card: ModelCard, source: HubFile) -> Remote:
    try:
        import huggingface_hub as hub
        from huggingface_hub import constants
    except ImportError:
        raise SourceFailed("huggingface_hub is not installed") from None
    if constants.HF_HUB_OFFLINE:
        raise SourceFailed("HF_HUB_OFFLINE is set")
    url = hub.hf_hub_url(source.repo, source.file)
    try:
        with anyio.fail_after(PATIENCE):
            there = await _in_daemon(lambda: hub.get_hf_file_metadata(url, timeout=PATIENCE))
    except TimeoutError:
        raise SourceFailed(f"no answer in {PATIENCE:g} seconds") from None
    except Exception as error:  # the library passes on whatever its HTTP client raises, and that client changes
        raise SourceFailed(_in_words(error)) from error
    _check(card, there.etag, there.size)
    return Remote(url=url, size=card.size, sha256=card.sha256)


def _check(card: ModelCard, etag: str | None, size: int | None) -> None:
    """Refuse another file before its first byte. For large files the hub's etag is the sha256."""
    if etag is not None and re.fullmatch("[0-9a-f]{64}", etag) and etag != card.sha256:
        raise SourceFailed(f"the file there has sha256 {etag}, expected {card.sha256}")
    if size is not None and size != card.size:
        raise SourceFailed(f"the file there has {size} bytes, expected {card.size}")


def _in_words(error: Exception) -> str:
    """The first words of the library's text, which can be a page long."""
    text = re.sub(r"\[Errno -?\d+\] ", "", " ".join(str(error).split()))
    return text[:200] or type(error).__name__


async def _in_daemon(work: Callable[[], T]) -> T:
    """Run `work` in a thread that nobody waits for when the caller gives up: a name look-up can block for minutes."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the future is awaited
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="ponder-hub").start()
    return await asyncio.wrap_future(future)
