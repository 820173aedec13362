"""What a first run has to load is loaded before the gateway accepts requests, which would all wait for it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, sys
from pathlib import Path
from ponder.api import asolve
from ponder.backends.scripted import Scripted
from ponder.gateway.app import Gateway
from ponder.gateway.settings import Config, Upstream
from ponder.store.opening import open_store

async def serve():
    upstream = Upstream(name="it", url="http://127.0.0.1:9/v1", models=("m",))
    gateway = Gateway(Config(upstreams={"it": upstream}), open_store(Path(sys.argv[1])), {})
    async with gateway.lifespan(None):
        before = set(sys.modules)
        await asolve("?", strategy="self-consistency(n=3)", model=Scripted(["Answer: 1"]), seed=0)
        print(sorted(set(sys.modules) - before))

asyncio.run(serve())
"""


def test_the_first_request_imports_nothing(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"{tmp_path}/runs.db"], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
