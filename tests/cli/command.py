"""The `ponder` command as tests run it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["EXECUTABLE", "Ponder"]

EXECUTABLE = str(Path(sys.executable).with_name("ponder"))


@dataclass(frozen=True)
class Ponder:
    """Runs ``ponder ARGUMENTS`` in a pipe; further keywords go into its environment."""

    environment: Mapping[str, str]
    limits: tuple[str, ...] = ()

    def with_file_size(self, blocks: int) -> Ponder:
        """The command where no file can grow beyond so many KiB: a disk that fills up."""
        return replace(self, limits=("bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash"))

    def __call__(self, *arguments: str | bytes, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.limits, EXECUTABLE, *arguments],
            input=stdin,
            env={**self.environment, **more},
            capture_output=True,
            timeout=120,
        )
        return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start it, to be stopped."""
        return subprocess.Popen(
            [EXECUTABLE, *arguments],
            env={**self.environment, **more},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
