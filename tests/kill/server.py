"""The test server with a latency for every call, and a log of what was asked.

    python -m tests.kill.server --log calls.jsonl

prints its base URL and serves until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import sys
import zlib
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from tests.servers.chat import ChatServer

__all__ = ["SEED"]

SEED = 7
"""The seed of every run."""

UNIT = 0.2
"""Seconds between two finishers of a race; large against what a busy machine adds."""


def _seed_of(branch: str) -> int:
    return zlib.crc32(f"{SEED}:{branch}:0".encode()) & 0x7FFFFFFF


# Three of the six in a race come well apart and the others never, so that nothing depends on how busy the machine is.
RACE = {_seed_of(f"b{number}"): UNIT * steps for number, steps in enumerate((3, 1, 1000, 1000, 2, 1000))}


class PacedServer(ChatServer):
    """Waits before each reply: 5 to 100 ms that follow from the call, or in a race what the branch's place says.

    A run names itself by the model it asks for, its strategy first; the log has that name, the call's seed, and what
    became of the call.
    """

    def __init__(self, lines: TextIO) -> None:
        super().__init__()
        self._lines = lines

    def _note(self, call: int, event: str, body: dict[str, Any]) -> None:
        print(json.dumps([body["model"], body.get("seed"), event]), file=self._lines, flush=True)

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        digest = hashlib.sha256(json.dumps(body["messages"]).encode() + repr(body.get("seed")).encode()).digest()
        seconds = 0.005 + digest[0] / 255 * 0.095
        await asyncio.sleep(RACE.get(body["seed"], seconds) if body["model"].startswith("first-three") else seconds)
        return await super()._answer(request, body)


async def _serve(log: Path) -> None:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # its clients die; that is no news
    server = PacedServer(log.open("a"))
    runner = web.AppRunner(server.app(), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}/v1\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    asyncio.run(_serve(parser.parse_args().log))
