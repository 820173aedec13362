"""A recording while it grows: a folder with one small trace for each finished question."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from ponder.core.errors import TraceError, UsageError
from ponder.replay.recording.problems import Asked
from ponder.replay.traces.about import About
from ponder.replay.traces.read import TraceFile
from ponder.replay.traces.trace import RecordedQuestion
from ponder.replay.traces.write import TraceWriter

__all__ = ["Shards"]


class Shards:
    """Finished questions of a recording to `out`; those of an earlier life of it are among them.

    Raises:
        UsageError: `out` exists, or something else was recorded here.
        TraceError: the folder cannot be written, or a shard is damaged.
    """

    def __init__(self, out: Path, about: About, asked: Sequence[Asked]) -> None:
        self.folder = out.with_name(out.name + ".part")
        self._out = out
        self._about = about
        self._asked = asked
        if out.exists():
            raise UsageError(f"{out} exists; give another -o, or remove it")

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Nobody else records here meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise UsageError(f"another process is recording to {self._out}") from None
        except OSError as error:
            raise TraceError(f"cannot write {self.folder}: {error.strerror or error}") from error
        try:
            for left in self.folder.glob("*.tmp"):
                left.unlink()
            yield
        finally:
            lock.release()

    def finished(self) -> set[int]:
        """The numbers of the questions that need not be recorded again."""
        return {number for path in self._paths() for number, _ in self._read(path, texts=False)}

    def keep(self, number: int, question: RecordedQuestion) -> None:
        """A question is finished."""
        with TraceWriter(self.folder / f"{number:06}.parquet", self._about) as writer:
            writer.add(question, number)

    def join(self) -> None:
        """Make one file of all shards, and remove them."""
        with TraceWriter(self._out, self._about) as writer:
            for path in self._paths():
                for number, question in self._read(path, texts=True):
                    writer.add(question, number)
        shutil.rmtree(self.folder)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    def _read(self, path: Path, *, texts: bool) -> Iterator[tuple[int, RecordedQuestion]]:
        file = TraceFile(path)
        if _lasting(file.about) != _lasting(self._about):
            raise self._other(f"{path} was recorded with other options ({_difference(file.about, self._about)})")
        for number, question in file.questions(texts=texts):
            asked = Asked(question.text, question.reference)
            if number >= len(self._asked) or asked != self._asked[number]:
                raise self._other(f"{path} is about another question {number}")
            yield number, question

    def _other(self, what: str) -> UsageError:
        return UsageError(f"{what}; give another -o, or remove {self.folder}")


def _lasting(about: About) -> About:
    """What two lives of one recording agree on."""
    return replace(about, made="", versions={})


def _difference(old: About, new: About) -> str:
    for name in ("model", "interval", "probe", "source", "name"):
        if getattr(old, name) != getattr(new, name):
            return f"{name} {getattr(old, name)!r:.60}, now {getattr(new, name)!r:.60}"
    changed = [name for name in {**old.settings, **new.settings} if old.settings.get(name) != new.settings.get(name)]
    return ", ".join(f"{name} {old.settings.get(name)!r:.60}, now {new.settings.get(name)!r:.60}" for name in changed)
