"""Ponder: self-consistency through `asolve`, one open backend for all questions.

`journalled` also records every call in a run store on disk, so that each run could be resumed after a crash.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from meter import Job, Meter, ask_all

import ponder
from ponder.backends.openai import OpenAI

__all__: list[str] = []


async def _main() -> None:
    journalled = sys.argv.pop(1) == "journalled"
    job, meter = Job.from_command_line(), Meter()
    backend = OpenAI(job.url, "fixed", concurrency=job.concurrency)
    with tempfile.TemporaryDirectory() as folder:
        store = ponder.Store(Path(folder) / "runs.db") if journalled else None

        async def ask(question: str) -> str | None:
            answer = await ponder.asolve(
                [{"role": "user", "content": question}],
                strategy=f"self-consistency(n={job.samples})",
                model=backend,
                store=store,
            )
            return answer.value

        try:
            await ask(job.warm_up)
            meter.start()
            meter.finish(await ask_all(ask, job.questions))
        finally:
            await backend.aclose()
            if store is not None:
                store.close()


if __name__ == "__main__":
    asyncio.run(_main())
