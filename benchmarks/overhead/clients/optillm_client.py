"""optillm: its `self_consistency` approach, called in the process, without the hop through its proxy.

It samples a question strictly one call after the other, so that only questions side by side fill the server: each
has a thread, as in its proxy. The log line for every request is switched off, which its proxy leaves on.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from meter import Job, Meter, boxed
from openai import OpenAI  # type: ignore[import-not-found]

# optillm lives in an environment of its own, where no type checker looks.
from optillm.self_consistency import AdvancedSelfConsistency  # type: ignore[import-not-found]

__all__: list[str] = []


def main() -> None:
    job, meter = Job.from_command_line(), Meter()
    logging.getLogger().setLevel(logging.WARNING)
    client = OpenAI(base_url=job.url, api_key="none")

    def ask(question: str) -> str | None:
        method = AdvancedSelfConsistency(client, "fixed", job.samples, request_config={"max_tokens": 1024})
        result = method.evaluate("You are a helpful assistant.", question)
        return boxed(result["aggregated_result"]["clusters"][0]["answer"])

    with ThreadPoolExecutor(job.concurrency) as threads:
        ask(job.warm_up)
        meter.start()
        meter.finish(list(threads.map(ask, job.questions)))


if __name__ == "__main__":
    main()
