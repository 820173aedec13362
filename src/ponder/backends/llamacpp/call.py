"""One request to the embedded model."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.to_thread

from ponder.backends.llamacpp.gate import Gate
from ponder.backends.llamacpp.options import sampling
from ponder.backends.llamacpp.reply import Line
from ponder.backends.llamacpp.runtime import Runtime
from ponder.backends.llamacpp.schema import refuse_unforced
from ponder.backends.thinking import opens_inside
from ponder.core.backend import Progress, Request
from ponder.core.completion import Completion, Usage
from ponder.core.errors import BackendError
from ponder.core.settings import TEMPERATURE, TOP_P

__all__ = ["TAGS", "Call"]

TAGS = ("<think>", "</think>")


class Call:
    """One request, in as many calls to the runtime as the free slots make of it."""

    def __init__(
        self, runtime: Runtime, gate: Gate, request: Request, prompt: str, tokens: int, progress: Progress
    ) -> None:
        self._runtime = runtime
        self._gate = gate
        self._request = request
        self._prompt = prompt
        self._tokens = tokens
        self._progress = progress
        inside = opens_inside(prompt)
        self._lines = [Line(index, progress, inside, request.stop) for index in range(request.n)]
        self._errors: list[BackendError] = []

    async def run(self, max_tokens: int) -> Completion:
        """The whole reply; no choice is longer than `max_tokens`.

        Raises:
            BackendError: the runtime refused or failed.
        """
        begun = 0
        async with anyio.create_task_group() as group:
            while begun < self._request.n:
                count = await self._gate.take(self._request.n - begun, self._tokens, max_tokens)
                group.start_soon(self._batch, begun, count, max_tokens, group.cancel_scope)
                begun += count
        if self._errors:
            raise self._errors[0]
        await self._give_withheld()
        choices = tuple(line.choice() for line in self._lines)
        refuse_unforced(choices, self._request.schema)
        usage = Usage(
            self._progress.prompt_tokens, self._progress.cached_tokens, sum(choice.tokens for choice in choices)
        )
        return Completion(choices, usage)

    async def _give_withheld(self) -> None:
        for line in self._lines:
            if line.withheld:
                reply = await anyio.to_thread.run_sync(self._runtime.post, "/detokenize", {"tokens": line.withheld})
                line.add(reply["content"])

    async def _batch(self, start: int, count: int, max_tokens: int, scope: anyio.CancelScope) -> None:
        """Choices `start` to `start + count`; each gives its slot back as soon as it ends."""
        held = count

        def take(chunk: dict[str, Any]) -> None:
            nonlocal held
            if start == 0 and "prompt_progress" in chunk:
                self._progress.prompt_tokens = chunk["prompt_progress"]["total"]
                self._progress.cached_tokens = chunk["prompt_progress"]["cache"]
                return
            line = self._lines[start + chunk["choices"][0]["index"]]
            line.take(chunk)
            if line.finished:
                held -= 1
                self._gate.give(1, max_tokens)

        try:
            await self._runtime.stream(self._body(start, count, max_tokens), take)
        except BackendError as error:
            self._errors.append(error)
            scope.cancel()
        finally:
            self._gate.give(held, self._tokens + held * max_tokens)

    def _body(self, start: int, count: int, max_tokens: int) -> dict[str, Any]:
        request = self._request
        body: dict[str, Any] = {
            "prompt": self._prompt,
            "n": count,
            "max_tokens": max_tokens,
            "temperature": TEMPERATURE if request.temperature is None else request.temperature,
            "top_p": TOP_P if request.top_p is None else request.top_p,
            "top_k": 0,
            "preserved_tokens": TAGS,
            "stream": True,
            "return_progress": True,
            "timings_per_token": True,
            **sampling(request),
        }
        if body["stop"]:
            body["verbose"] = True  # else it does not say whether a stop string or the model itself ended a choice
        if request.seed is not None:
            body["seed"] = (request.seed + start) & 0x7FFFFFFF  # a choice adds its place among those of its call
        if request.logprobs:
            body["n_probs"] = request.logprobs
        if request.schema is not None:
            body["json_schema"] = request.schema
        return body
