"""The floor: `concurrency` aiohttp workers that post, parse and vote, with nothing around them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import aiohttp
from meter import Job, Meter, boxed

__all__: list[str] = []


async def _work(
    session: aiohttp.ClientSession, url: str, calls: Iterator[str], votes: dict[str, Counter[str | None]]
) -> None:
    for question in calls:
        request = {
            "model": "fixed",
            "messages": [{"role": "user", "content": question}],
            "temperature": 0.7,
            "max_tokens": 1024,
        }
        async with session.post(f"{url}/chat/completions", json=request) as reply:
            completion = await reply.json()
        votes[question][boxed(completion["choices"][0]["message"]["content"])] += 1


async def _ask(session: aiohttp.ClientSession, job: Job, questions: list[str]) -> list[str | None]:
    calls = (question for question in questions for _ in range(job.samples))
    votes: dict[str, Counter[str | None]] = {question: Counter() for question in questions}
    await asyncio.gather(*(_work(session, job.url, calls, votes) for _ in range(job.concurrency)))
    return [votes[question].most_common(1)[0][0] for question in questions]


async def _main() -> None:
    job, meter = Job.from_command_line(), Meter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=job.concurrency)) as session:
        await _ask(session, job, [job.warm_up])
        meter.start()
        meter.finish(await _ask(session, job, job.questions))


if __name__ == "__main__":
    asyncio.run(_main())
