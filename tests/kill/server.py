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
import math
import sys
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from tests.servers.chat import ChatServer

__all__ = ["SEED"]

SEED = 7
"""The seed of every run."""


def _seed_of(branch: str) -> int:
    return zlib.crc32(f"{SEED}:{branch}:0".encode()) & 0x7FFFFFFF


PACE = 0.2
"""Seconds that a branch in a race takes once it may come: on a busy machine, too, kills fall between two of them."""

PLACES = {_seed_of(f"b{number}"): place for number, place in enumerate((2, 0, math.inf, math.inf, 1, math.inf))}
"""After how many comments on others each of the six in a race may come; half of them never do."""


class PacedServer(ChatServer):
    """Waits before each reply: 5 to 100 ms that follow from the call.

    In a race a branch comes only once the one before it was commented on, so that the order never hangs on how busy
    the machine is.

    A run names itself by the model it asks for, its strategy first; the log has that name, the call's seed, and what
    became of the call.
    """

    def __init__(self, lines: TextIO) -> None:
        super().__init__()
        self._lines = lines
        self._comments: defaultdict[str, set[int]] = defaultdict(set)
        self._news = asyncio.Condition()

    def _note(self, call: int, event: str, body: dict[str, Any]) -> None:
        print(json.dumps([body["model"], body.get("seed"), event]), file=self._lines, flush=True)

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        digest = hashlib.sha256(json.dumps(body["messages"]).encode() + repr(body.get("seed")).encode()).digest()
        seconds = 0.005 + digest[0] / 255 * 0.095
        if body["model"].startswith("first-three"):
            await self._turn(self._comments[body["model"]], body["seed"])
            seconds = PACE if body["seed"] in PLACES else seconds
        await asyncio.sleep(seconds)
        return await super()._answer(request, body)

    async def _turn(self, comments: set[int], seed: int) -> None:
        async with self._news:
            if seed not in PLACES:
                comments.add(seed)
                self._news.notify_all()
            await self._news.wait_for(lambda: len(comments) >= PLACES.get(seed, 0))


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
