"""its_hub: its SelfConsistency algorithm on its OpenAICompatibleLanguageModel.

`bounded` keeps the concurrency by its own LMOrchestrator, which is how it is meant to be used and passes every call
through a thread of the default pool. `open` switches that bound off, so that the 100 connections that its aiohttp
session allows keep it: the cheapest way to run it, and the same concurrency as long as that is 100.
"""

from __future__ import annotations

import asyncio
import sys

# its_hub lives in an environment of its own, where no type checker looks.
from its_hub import LMOrchestrator, OpenAICompatibleLanguageModel, SelfConsistency  # type: ignore[import-not-found]
from its_hub.core.algorithms.self_consistency import create_regex_projection_function  # type: ignore[import-not-found]
from meter import Job, Meter, ask_all, boxed

__all__: list[str] = []


async def _main() -> None:
    open_ended = sys.argv.pop(1) == "open"
    job, meter = Job.from_command_line(), Meter()
    model = OpenAICompatibleLanguageModel(job.url, "none", "fixed", max_completion_tokens=1024, temperature=0.7)
    method = SelfConsistency(
        create_regex_projection_function(r"\\boxed\{([^}]+)\}"),
        orchestrator=LMOrchestrator(-1 if open_ended else job.concurrency),
    )

    async def ask(question: str) -> str | None:
        message = await method.ainfer(model, question, budget=job.samples)
        return boxed(message["content"])

    async with model:
        await ask(job.warm_up)
        meter.start()
        meter.finish(await ask_all(ask, job.questions))


if __name__ == "__main__":
    asyncio.run(_main())
