"""How long a gateway keeps ``/ready`` waiting while it is attacked: what is reported, and never asserted."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["Watch", "watching"]

EVERY = 0.02
"""Seconds between two looks."""


@dataclass
class Watch:
    """The longest wait in seconds so far, and `during` what: whoever attacks says so in `during_now`.

    `looks` is how often it was asked, and `refused` how often it was not ready.
    """

    longest: float = 0.0
    during: str = ""
    during_now: str = ""
    looks: int = 0
    refused: int = 0

    def look(self, connection: http.client.HTTPConnection) -> None:
        """Ask once."""
        during, began = self.during_now, time.monotonic()
        connection.request("GET", "/ready")
        response = connection.getresponse()
        response.read()
        waited = time.monotonic() - began
        self.looks += 1
        self.refused += response.status != 200
        if waited > self.longest:
            self.longest, self.during = waited, during


@contextmanager
def watching(url: str) -> Iterator[Watch]:
    """Asks the gateway at `url` for ``/ready`` all the time; appends what came of it to ``PONDER_HOSTILE_REPORT``."""
    watch, over, failures = Watch(), threading.Event(), []

    def run() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        try:
            while not over.wait(EVERY):
                watch.look(connection)
        except OSError as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
    assert not failures, failures
    line = json.dumps({"longest": round(watch.longest, 4), "during": watch.during, "looks": watch.looks})
    print(f"/ready: {line}")  # noqa: T201 - shown with pytest -s
    if report := os.environ.get("PONDER_HOSTILE_REPORT"):
        with Path(report).open("a") as file:
            file.write(line + "\n")
