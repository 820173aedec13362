"""Many requests of all kinds, some of them with faults: afterwards nothing is left of them but the bill.

python -m tests.gateway.faults.soak --requests 20000 --faults 0.1 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.gateway.faults.soak_client import Client
from tests.gateway.faults.soak_report import FAULTY, LEAVES, SPARE, STAYS, Report
from tests.gateway.faults.upstream_faults import CASES
from tests.servers.chat import ChatServer, running

__all__ = ["soak"]

CONFIG = """
[server]
store = "soak.db"
[upstreams.only]
url = "{url}"
models = ["m"]
timeout = 20.0
concurrency = 64
[keys.stays.limits]
tokens_per_day = 1_000_000_000
[keys.leaves.limits]
tokens_per_day = 1_000_000_000
[keys.faulty.limits]
tokens_per_day = 1_000_000_000
"""


class Upstream(ChatServer):
    """Fails when the request's field ``user`` names a fault, and counts what it says otherwise, by key."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[str] = Counter()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()  # nothing is remembered of the call: that would grow
        return await self._answer(request, body)

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        key, _, fault = (body.get("user") or "").partition(": ")
        if fault:
            return await CASES[fault].fault(request)
        self.counted[key] += sum(len(self.says(body, index).tokens) for index in range(body.get("n") or 1))
        return await super()._answer(request, body)


@dataclass
class Watched:
    """The gateway's process, and who looks into it."""

    process: subprocess.Popen[str]
    url: str

    def look(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        while not line.startswith("{"):
            assert line, "the gateway has ended"
            line = self.process.stdout.readline()
        seen: dict[str, Any] = json.loads(line)
        return seen


@contextmanager
def watched(config: Path) -> Iterator[Watched]:
    log = config.with_name("gateway.log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.faults.watched", "--port", "0", "--config", str(config)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert " at http://" in first, log.read_text()
        yield Watched(process, first.split(" at ")[1].split(";")[0])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _key(config: Path, name: str) -> str:
    made = subprocess.run(
        [str(Path(sys.executable).with_name("ponder")), "keys", "add", name, "--config", str(config)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return made.stdout.strip()


async def _drive(gateway: Watched, client: Client, requests: int, at_once: int, say: Callable[[str], None]) -> None:
    report, left, began = client.report, iter(range(requests)), time.monotonic()
    every = max(1, requests // 20)

    async def worker() -> None:
        for number in left:
            await client.one()
            if number and number % every == 0:
                await asyncio.to_thread(note, number)

    def note(number: int) -> None:
        seen = gateway.look()
        report.looks.append((number, seen))
        rate = number / (time.monotonic() - began)
        say(
            f"{number:>6} requests, {rate:4.0f}/s, {seen['rss'] / 2**20:6.1f} MB, {len(seen['tasks']):>3} tasks, "
            f"{seen['files']:>3} files, {seen['slots']:>3} slots, breaker {seen['breakers']['only']}"
        )

    await asyncio.gather(*(worker() for _ in range(at_once)))


async def _settled(gateway: Watched, kept: int) -> dict[str, Any]:
    """A look when what takes its time is over: the breaker's pause, and connections but for so many that are `kept`."""
    for _ in range(150):
        seen = await asyncio.to_thread(gateway.look)
        if seen["files"] <= kept + SPARE and not seen["runs"] and seen["breakers"]["only"] != "open":
            break
        await asyncio.sleep(1)
    return seen


def soak(requests: int, faults: float, seed: int, at_once: int, place: Path, say: Callable[[str], None]) -> Report:
    """Send that many requests, a part of them with `faults`, and look at what is left of them."""
    report, config = Report(), place / "gateway.toml"
    with running(Upstream()) as upstream:
        assert isinstance(upstream, Upstream)
        config.write_text(CONFIG.format(url=upstream.url))
        keys = {name: _key(config, name) for name in (STAYS, LEAVES, FAULTY)}
        with watched(config) as gateway:

            async def everything() -> None:
                client = Client(gateway.url, keys, random.Random(seed), faults, report)
                report.looks.append((0, await asyncio.to_thread(gateway.look)))
                files = report.looks[0][1]["files"]
                await _drive(gateway, client, requests, at_once, say)
                for _ in range(3):  # closes the breaker, if the last faults have opened it
                    await _settled(gateway, 10**6)
                    await client.ask(STAYS, model="m")
                await client.aclose()
                report.looks.append((requests, await _settled(gateway, files)))

            began = time.monotonic()
            asyncio.run(everything())
            report.seconds = time.monotonic() - began
        report.counted = dict(upstream.counted)
    with sqlite3.connect(place / "soak.db") as db:
        report.booked = dict(db.execute("SELECT account, sum(tokens) FROM gateway_spent GROUP BY account"))
        report.held = db.execute("SELECT coalesce(sum(tokens), 0) FROM gateway_held").fetchone()[0]
    log = (place / "gateway.log").read_text().splitlines()
    report.internal_errors = [line for line in log if "internal error" in line or "Traceback" in line]
    return report


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Send many requests through a gateway, some of them with faults.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--faults", type=float, default=0.1, help="the part of them that meets a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=64)
    return parser.parse_args()


def main() -> int:
    """Run it as the command line says; the exit status is 1 if something is left of the requests."""
    options = _options()
    with tempfile.TemporaryDirectory() as place:
        report = soak(options.requests, options.faults, options.seed, options.at_once, Path(place), _say)
    _say(report.table())
    for wrong in report.wrong():
        _say(f"WRONG: {wrong}")
    return int(bool(report.wrong()))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - whoever has started it wants to watch


if __name__ == "__main__":
    sys.exit(main())
