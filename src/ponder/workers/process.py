"""One process that does jobs, and the pipes to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ponder.core.errors import VerifierError
from ponder.workers.worker import receive, send

__all__ = ["JobFailed", "Process", "Undecided"]

_START_SECONDS = 60.0  # the first import from a cold disk takes several
_PATIENCE = 5.0  # wall time allowed per second of CPU time, for machines that do other things as well
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TEMP", "TMP")


class Undecided(Exception):
    """The job came to the end of its time, stack or memory, or took its process down with it."""


class JobFailed(Exception):
    """The job raised; the text is one line."""


class Process:
    """Does one job after another, each in at most `seconds` of CPU time and `memory` bytes of address space.

    `used` is how many seconds of CPU time the latest job has taken.

    Raises:
        VerifierError: it cannot be started.
    """

    def __init__(self, seconds: float, memory: int) -> None:
        # The program is found where this one found it, whatever the working directory; no keys are handed on.
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, "-P", "-m", "ponder.workers.worker", str(seconds), str(memory)]
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the parent, which ends its workers itself
            )
        except OSError as error:
            raise VerifierError(f"cannot start the process that compares answers: {error}") from None
        self.used = 0.0
        self._seconds = seconds
        self._rehearsed: set[str] = set()

    @property
    def alive(self) -> bool:
        """False once it has ended."""
        return self._popen.poll() is None

    def do(self, job: list[Any]) -> Any:
        """What the job gives.

        Raises:
            Undecided: it does not come to its end; the process may be gone.
            JobFailed: it raised.
            VerifierError: no job of this kind can be done.
        """
        name, self.used = job[0], 0.0
        try:
            send(self._stdin, job)
            if name not in self._rehearsed:
                self._rehearse(name)
            self.used = self._seconds  # if no word of it comes back
            with self._killed_after(self._seconds * _PATIENCE):
                reply = receive(self._stdout)
        except (EOFError, OSError):
            self.end()
            raise Undecided(f"{name} was given up after {self._seconds:g} s or crashed") from None
        self.used = reply["seconds"]
        if "undecided" in reply:
            raise Undecided(reply["undecided"])
        if "error" in reply:
            raise JobFailed(reply["error"])
        return reply["value"]

    def _rehearse(self, name: str) -> None:
        try:
            with self._killed_after(_START_SECONDS):
                reply = receive(self._stdout)
        except EOFError:
            self.end()
            reply = {"error": f"it ended with status {self._popen.returncode}"}
        if "error" in reply:
            self.end()
            raise VerifierError(f"the process that compares answers does not work: {reply['error']}")
        self._rehearsed.add(name)

    def end(self) -> None:
        """Kill the process and release its pipes. Safe to call twice, and while a job runs."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._popen.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def _stdin(self) -> Any:
        return self._popen.stdin

    @property
    def _stdout(self) -> Any:
        return self._popen.stdout
