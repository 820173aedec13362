"""A program on a pseudo-terminal, as a person sees and stops it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

__all__ = ["Terminal", "plain"]

# Makes the pseudo-terminal the controlling one, so that ^C becomes a signal.
TAKE_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """Runs `command` on a terminal of `columns` by `lines`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_IT, *command],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={"TERM": "xterm-256color", **environment},
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        """Press keys; character 3 is Ctrl-C."""
        os.write(self._master, keys.encode())

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Read until `text` is on the screen, or fail."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} did not appear in {self.seen!r}"
            assert self._read(deadline) or text in self.seen, f"it ended without {text!r}: {self.seen!r}"

    def finish(self, seconds: float = 60, insisting: str = "") -> int:
        """Read to the end, and press the keys `insisting` whenever nothing has come for a while; the exit code."""
        deadline = time.monotonic() + seconds
        pause = 1.0 if insisting else seconds
        before = None
        while self._read(time.monotonic() + pause):
            assert time.monotonic() < deadline, f"still running: {self.seen!r}"
            if self.seen == before:
                self.type(insisting)
            before = self.seen
        return self.process.wait(seconds)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(deadline - time.monotonic(), 0))
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode(errors="replace")
        return True


def plain(text: str) -> str:
    """`text` without the sequences that move the cursor or set colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
