"""The gateway in a process of its own, and the SDK pointed at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openai import AsyncOpenAI, OpenAI

__all__ = ["Gateway", "serving"]

EXECUTABLE = str(Path(sys.executable).with_name("ponder"))


@dataclass(frozen=True)
class Gateway:
    """Where it listens, and the process."""

    url: str
    process: subprocess.Popen[str]

    @property
    def client(self) -> OpenAI:
        """The SDK, pointed at it; retries would hide what it answers."""
        return OpenAI(base_url=self.url, api_key="sk-of-the-client", max_retries=0, timeout=60)

    @property
    def async_client(self) -> AsyncOpenAI:
        """The same for an event loop."""
        return AsyncOpenAI(base_url=self.url, api_key="sk-of-the-client", max_retries=0, timeout=60)


@contextmanager
def serving(*options: str, store: Path, **environment: str) -> Iterator[Gateway]:
    """Run ``ponder serve`` until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PONDER_"))}
    log = store.with_suffix(".log")  # a pipe that nobody reads would fill up, and the server wait for room in it
    with log.open("w") as errors:
        process = subprocess.Popen(
            [EXECUTABLE, "serve", "--port", "0", *options],
            env={**kept, "PONDER_STORE": str(store), **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert " at http://" in first, log.read_text()
        yield Gateway(first.split(" at ")[1].split(";")[0], process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        wrong = [line for line in log.read_text().splitlines() if "internal error" in line or "Traceback" in line]
        assert not wrong, wrong
