"""The backend for models that run in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from ponder.backends.llamacpp.call import TAGS, Call
from ponder.backends.llamacpp.failures import too_long
from ponder.backends.llamacpp.gate import Gate
from ponder.backends.llamacpp.header import Header, read_header
from ponder.backends.llamacpp.options import KNOWN, with_schema
from ponder.backends.llamacpp.runtime import Runtime
from ponder.backends.llamacpp.schema import refuse_bad_schema
from ponder.backends.needs import refuse_options, refuse_undeclared
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.completion import Completion
from ponder.core.errors import BackendError, InvalidOption, Rejected
from ponder.core.host.capacity import free_memory

if TYPE_CHECKING:
    from ponder.backends.weights import FetchProgress

__all__ = ["LlamaCpp", "fitting_context"]

SLOTS = 32
CONTEXT = 32 * 1024
"""Tokens, shared by all branches; less where a quarter of the free memory does not hold their attention state."""

_LEAST_CONTEXT = 2048
_PROMPTS_KEPT = 256


class LlamaCpp:
    """A GGUF model in this process, by llama.cpp.

    `context` is the tokens of attention state that all branches share; one branch may use all of it, up to what the
    model was trained for. `slots` is how many branches are decoded together; more than that wait their turn, and are
    read anew if another took their slot meanwhile. `threads` of None takes every physical core that the process may
    use. The environment variables ``GOMP_SPINCOUNT`` (default 3000) and ``OMP_WAIT_POLICY`` say how its threads wait;
    ``OMP_WAIT_POLICY=PASSIVE`` leaves a shared machine to others.

    The same seed, `n` and prompt give the same texts, choice ``i`` being seeded with ``seed + i``. In a batch of
    other size, or after another part of the prompt was cached, sums are rounded in another order, which now and then
    tips the choice between two tokens that are nearly as likely.

    Raises:
        InvalidOption: `context`, `slots` or `threads` is not positive.
        WeightsError: the file cannot be loaded.
    """

    capabilities = frozenset(set(Capability) - {Capability.THINKING_BUDGET, Capability.IMAGES})
    price: Price | None = Price(0.0, 0.0, 0.0, "local")

    def __init__(
        self, name: str, path: Path, *, context: int | None = None, slots: int = SLOTS, threads: int | None = None
    ) -> None:
        for option, value in (("context", context), ("slots", slots), ("threads", threads)):
            if value is not None and value < 1:
                raise InvalidOption(f"{option}={value} must be at least 1")
        header = read_header(path)
        self.name = name
        self.model = name.removeprefix("local/")
        self.concurrency = slots
        self._context = context or fitting_context(header, free_memory())
        self._longest = min(self._context, header.context or self._context)
        self._gate = Gate(slots, self._context)
        self._runtime = Runtime(path, context=self._context, slots=slots, threads=threads)
        self._prompts: dict[str, str] = {}

    @classmethod
    def open(cls, spec: str, show: FetchProgress | None = None) -> LlamaCpp:
        """The model for ``local/NAME``, ``local/PATH.gguf`` or a path; `show` is told how a fetch goes on.

        Raises:
            UnknownName: no such model.
            WeightsError: the weights cannot be had, or are none.
        """
        from ponder.backends.weights import resolve

        return cls(spec, resolve(spec, show=show))

    def __repr__(self) -> str:
        return f"LlamaCpp({self.name!r}, context={self._context}, slots={self.concurrency})"

    async def generate(self, request: Request, progress: Progress) -> Completion:
        """Complete `request.n` times in one batch, as far as slots are free; the others follow as slots become free.

        Raises:
            MissingCapability: a thinking budget, or an option that is not `options.KNOWN`.
            Rejected: it does not fit the context, or the schema is none.
            BackendError: the runtime failed.
        """
        refuse_options(self, request, KNOWN)
        request = with_schema(request)
        refuse_undeclared(self, request)
        refuse_bad_schema(request.schema)
        if self._runtime.closed:
            raise BackendError(f"the model {self.name} has been closed")
        text, tokens = await anyio.to_thread.run_sync(self._prompt, request)
        if tokens >= self._longest:
            raise Rejected(too_long(tokens, self._longest))
        call = Call(self._runtime, self._gate, request, text, tokens, progress)
        return await call.run(min(request.max_tokens, self._longest - tokens))

    async def aclose(self) -> None:
        """Stop what runs and free the memory. Safe to call twice."""
        await self._runtime.aclose()

    def _prompt(self, request: Request) -> tuple[str, int]:
        """What the model is to continue, and its tokens.

        The template is applied to the messages only and the prefix follows as it stands: a template would trim it,
        and then a branch would not go on where it stopped.
        """
        if [message.get("role") for message in request.messages] == ["prompt"]:  # a text completion has no template
            return self._counted(request.messages[0]["content"] + request.prefix)
        key = json.dumps(request.messages, default=dict)
        opening = self._prompts.get(key)
        if opening is None:
            opening = self._runtime.post("/apply-template", {"messages": request.messages})["prompt"]
            if len(self._prompts) >= _PROMPTS_KEPT:
                self._prompts.clear()
            self._prompts[key] = opening
        prefix = request.prefix
        if opening.rstrip().endswith(TAGS[0]):  # the template has begun the reasoning already
            prefix = prefix.removeprefix(TAGS[0])
        return self._counted(opening + prefix)

    def _counted(self, text: str) -> tuple[str, int]:
        body = {"content": text, "add_special": True, "parse_special": True}
        return text, len(self._runtime.post("/tokenize", body)["tokens"])


def fitting_context(header: Header, memory: int) -> int:
    """The default context, or less where its attention state would take more than a quarter of `memory` bytes."""
    if header.kv_bytes is None:
        return CONTEXT // 4
    fits = memory // 4 // header.kv_bytes
    return max(_LEAST_CONTEXT, min(CONTEXT, fits // 256 * 256))
