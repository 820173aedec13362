"""``ponder serve`` with somebody who looks into the process: for each line on standard input, one of JSON comes back.

python -m tests.gateway.faults.watched --config gateway.toml
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import ponder.gateway.server as serving
from ponder.cli import main
from ponder.gateway.app import Gateway

__all__ = ["look"]

OWN = {"serve", "main", "watch", "listen"}


class Watched(Gateway):
    """A gateway that can be found from outside of its event loop."""

    latest: Watched
    loop: asyncio.AbstractEventLoop

    def lifespan(self, app: Any) -> Any:
        Watched.latest, Watched.loop = self, asyncio.get_running_loop()
        return super().lifespan(app)


async def look() -> dict[str, Any]:
    """What there is in the process now."""
    gateway = Watched.latest
    gc.collect()
    pools = [line.pool for line in gateway.passthrough._lines.values()]
    return {
        "rss": resident(),
        "tasks": sorted(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks()),
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - a Path for each of them is none of its business
        "used connections": sum(pool.in_use for pool in pools),
        "slots": gateway.admission.queue.capacity - gateway.admission.queue.free,
        "waiting": gateway.admission.queue.waiting,
        "breakers": {name: breaker.state for name, breaker in gateway.routes.breakers.items()},
        "runs": len(gateway.runs._under_way),
    }


def resident() -> int:
    """Bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def answer() -> None:
    try:
        for _ in sys.stdin:
            seen = asyncio.run_coroutine_threadsafe(look(), Watched.loop).result()
            sys.stdout.write(json.dumps(seen) + "\n")
            sys.stdout.flush()
    except Exception:  # noqa: BLE001 - whatever it is, nobody would learn of it
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    serving.Gateway = Watched  # type: ignore[misc]
    threading.Thread(target=answer, daemon=True).start()
    sys.argv[1:1] = ["serve"]
    main()
