"""The embedded backend."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from ponder.backends.llamacpp.job import Draft, Job
from ponder.backends.llamacpp.room import Room
from ponder.backends.llamacpp.runtime import Runtime, new_key
from ponder.backends.needs import refuse_undeclared
from ponder.backends.thinking import opens_inside, split_thinking
from ponder.core.backend import Capability, Choice, Completion, Finish, Price, Progress, Request, Usage
from ponder.core.errors import BrokenReply, Rejected

if TYPE_CHECKING:
    from ponder.backends.weights import FetchProgress

__all__ = ["LlamaCpp"]

CONTEXT = 32_768
SLOTS = 32


class LlamaCpp:
    """A GGUF model in this process.

    The choices of one request share the prompt's KV cache; separate requests run together, each in a slot that still
    holds the beginning of its text if there is one, so that a branch is continued or probed at the price of the new
    tokens. `context` is the KV cache in tokens, for all slots together.

    A seed makes a text repeatable as long as the same texts are computed beside it: floating-point sums depend on the
    size of the batch, and a near tie between two tokens may fall the other way.

    Raises:
        WeightsError: the file cannot be loaded.
    """

    def __init__(
        self, name: str, path: Path, *, context: int = CONTEXT, slots: int = SLOTS, threads: int | None = None
    ) -> None:
        self.name = name
        self.model = name.removeprefix("local/")
        self.capabilities = frozenset(Capability) - {Capability.THINKING_BUDGET}
        self.concurrency = slots
        self.price: Price | None = Price(0.0, 0.0, 0.0, "local")
        self._runtime: Runtime | None = Runtime(path, context=context, slots=slots, threads=threads, key=new_key())
        self._context = context
        self._room = Room(slots, context)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="ponder-llamacpp")

    @classmethod
    def open(cls, spec: str, show: FetchProgress | None = None) -> LlamaCpp:
        """The backend for ``local/NAME`` or the path of a GGUF file; the weights are fetched if they are not there.

        Raises:
            UnknownName: no such model.
            WeightsError: the weights cannot be had, or are none.
        """
        from ponder.backends.weights import resolve

        return cls(spec, resolve(spec, show=show))

    def __repr__(self) -> str:
        return f"LlamaCpp({self.name!r})"

    async def generate(self, request: Request, progress: Progress) -> Completion:
        """Carry out one call; more choices than there is room for run one group after another.

        Raises:
            MissingCapability: the request asks for a thinking budget.
            Rejected: the prompt does not fit the context, or the template refuses the messages.
        """
        refuse_undeclared(self, request)
        runtime = self._runtime
        if runtime is None:
            raise Rejected(f"{self.name} is closed")
        loop = asyncio.get_running_loop()
        prompt, length = await loop.run_in_executor(self._threads, runtime.render, request.messages)
        cells = length + len(request.prefix.encode()) // 2
        drafts: list[Draft] = []
        usage = Usage()
        for first, count in _groups(request.n, self._together(cells, request.max_tokens)):
            body = _body(request, prompt, first, count)
            async with self._room.take(count, min(runtime.context, cells + count * request.max_tokens)):
                job = await self._run(runtime, body, Job(count, progress, first))
            drafts += job.drafts
            usage = Usage(usage.prompt + job.prompt_tokens, usage.cached + job.cached_tokens)
        choices = tuple(_choice(draft, request) for draft in drafts)
        return Completion(choices, replace(usage, output=sum(choice.tokens for choice in choices)))

    async def aclose(self) -> None:
        """Unload the model, once what is under way has ended."""
        self._threads.shutdown(wait=False)
        self._runtime = None

    def _together(self, cells: int, max_tokens: int) -> int:
        """How many choices fit the KV cache at a time."""
        return max(1, min(self.concurrency, (self._context - cells) // max_tokens))

    async def _run(self, runtime: Runtime, body: dict[str, Any], job: Job) -> Job:
        work = asyncio.get_running_loop().run_in_executor(self._threads, runtime.complete, body, job.receive)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            job.cancelled = True  # the runtime asks at its next token whether anybody wants more
            with anyio.CancelScope(shield=True), suppress(asyncio.CancelledError):
                await work
            job.read()
            raise
        job.read()
        if job.error is not None:
            raise job.error
        if any(draft.finish is None for draft in job.drafts):
            raise BrokenReply("llama.cpp stopped in mid-reply")
        return job


def _groups(n: int, most: int) -> Iterator[tuple[int, int]]:
    """First choice and number of choices of each group."""
    for first in range(0, n, most):
        yield first, min(most, n - first)


def _body(request: Request, prompt: str, first: int, count: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "prompt": prompt + request.prefix,
        "n": count,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        # The request says how to sample; the runtime's own filters would change what is measured.
        "top_k": 0,
        "min_p": 0.0,
        "stop": list(request.stop),
        "n_probs": request.logprobs,
        "stream": True,
        "timings_per_token": True,
        "return_progress": True,
        "cache_prompt": True,
        # Only the verbose form tells a stop string from the end of the text.
        "verbose": bool(request.stop),
    }
    if request.seed is not None:
        # The runtime numbers the choices of a call itself; another group of the same request starts elsewhere.
        body["seed"] = zlib.crc32(f"{request.seed}:{first}".encode()) if first else request.seed
    if request.schema is not None:
        body["json_schema"] = dict(request.schema)
    return body


def _choice(draft: Draft, request: Request) -> Choice:
    thinking, text = split_thinking(draft.text, opens_inside(request.prefix))
    finish: Finish = "length" if draft.finish == "length" else "boundary" if draft.stopped_by_word else "stop"
    # The runtime does not count the reasoning apart; its share of the text is the best that is known.
    share = len(thinking) / (len(thinking) + len(text)) if thinking else 0.0
    return Choice(
        text=text,
        tokens=draft.tokens,
        finish=finish,
        thinking=thinking,
        thinking_tokens=round(draft.tokens * share),
        logprob=sum(draft.logprobs) / len(draft.logprobs) if draft.logprobs else None,
        first=draft.first or {},
    )
