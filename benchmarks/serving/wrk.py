"""As many requests as a server answers, by wrk."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Throughput", "find_wrk", "saturate"]

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
wrk.headers["User-Agent"] = "OpenAI/Python 3.54.0"
wrk.headers["Authorization"] = "Bearer none"
wrk.body = [==[%s]==]
"""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Good replies a second, how many there were, and how many were none."""

    per_second: float
    requests: int
    failed: int


def find_wrk() -> str:
    """The program.

    Raises:
        SystemExit: it is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is missing, which makes the load: apt-get install wrk")
    return found


def saturate(url: str, body: bytes, connections: int, seconds: int, folder: Path) -> Throughput:
    """Post `body` over `connections` connections, each with one request under way, for `seconds`."""
    script = folder / "post.lua"
    script.write_text(SCRIPT % body.decode())
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    requests = int(_number(r"(\d+) requests in", said))
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    # A server that closes its connections shows as so many errors in reading, after good replies.
    failed = int(_number(r"Non-2xx or 3xx responses: (\d+)", said, "0"))
    failed += sum(int(sockets[i]) for i in (1, 3, 4)) if sockets else 0
    rate = float(_number(r"Requests/sec: +([\d.]+)", said))
    return Throughput(rate * max(0, requests - failed) / max(1, requests), requests, failed)


def _number(pattern: str, text: str, missing: str | None = None) -> str:
    found = re.search(pattern, text)
    if found is None and missing is None:
        raise SystemExit(f"wrk said nothing that matches {pattern}:\n{text}")
    return found[1] if found else missing or ""
