"""The server that stands for a model, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["stats_of", "upstream"]


@contextmanager
def upstream(latency: float, slots: int) -> Iterator[str]:
    """The address of a new server, which ends with the block; see `server.py` for what it does."""
    script = str(Path(__file__).with_name("server.py"))
    command = [sys.executable, script, "--latency", str(latency), "--slots", str(slots)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()


def stats_of(url: str) -> dict[str, Any]:
    """What the server at `url` has done so far."""
    with urllib.request.urlopen(f"{url}/stats") as reply:
        served: dict[str, Any] = json.load(reply)
        return served
