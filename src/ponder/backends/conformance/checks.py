"""The demands, one by one."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import anyio

from ponder.backends.conformance.demands import Nonconforming, call, demand
from ponder.core.backend import Backend, Batches, Capability, Progress, Request
from ponder.core.completion import Completion
from ponder.core.errors import MissingCapability

__all__ = ["CHECKS", "Check"]

ASK = Request(
    messages=({"role": "user", "content": "Count from one to thirty in words, like: one, two, three, and so on."},),
    max_tokens=24,
    temperature=0.0,
    seed=1,
)
SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
PICTURE: Mapping[str, object] = {
    "type": "image_url",
    "image_url": {"url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="},
}


@dataclass(frozen=True, slots=True)
class Check:
    """One demand. `run` raises `Nonconforming`, or whatever error the backend raised."""

    name: str
    demand: str
    needs: frozenset[Capability]
    run: Callable[[Backend], Awaitable[None]]

    def applies(self, backend: Backend) -> bool:
        """True if the backend declares all that this needs."""
        return self.needs <= backend.capabilities


_found: dict[str, Check] = {}
CHECKS: Mapping[str, Check] = MappingProxyType(_found)
"""All checks by name, in the order in which they should run."""


def _check(
    *needs: Capability,
) -> Callable[[Callable[[Backend], Awaitable[None]]], Callable[[Backend], Awaitable[None]]]:
    def add(run: Callable[[Backend], Awaitable[None]]) -> Callable[[Backend], Awaitable[None]]:
        name = run.__name__.strip("_")
        _found[name] = Check(name, (run.__doc__ or "").strip(), frozenset({Capability.SAMPLE, *needs}), run)
        return run

    return add


@_check()
async def _identity(backend: Backend) -> None:
    """It has a name, a model, a concurrency of at least 1, and can sample."""
    demand(isinstance(backend, Backend), "it lacks attributes or methods of ponder.core.backend.Backend")
    demand(bool(backend.name) and bool(backend.model), "name or model is empty")
    demand(backend.concurrency >= 1, f"concurrency is {backend.concurrency}")


@_check()
async def _sample(backend: Backend) -> None:
    """A question gets a text."""
    completion = await call(backend, ASK)
    demand(bool(completion.choices[0].text or completion.choices[0].thinking), "the reply is empty")


@_check()
async def _max_tokens(backend: Backend) -> None:
    """A reply ends at `max_tokens`, with finish "length"."""
    choice = (await call(backend, replace(ASK, max_tokens=4))).choices[0]
    demand(choice.tokens == 4, f"{choice.tokens} tokens of a long count, max_tokens was 4")
    demand(choice.finish == "length", f"finish is {choice.finish!r} at max_tokens")


@_check()
async def _stop(backend: Backend) -> None:
    """A reply ends before a stop string; a backend that can continue calls this a "boundary"."""
    stop = ("e", "o", " ", "\n")  # a model may count in digits
    choice = (await call(backend, replace(ASK, stop=stop))).choices[0]
    demand(not any(string in choice.text for string in stop), f"a stop string is in the text {choice.text!r}")
    demand(choice.finish != "length", "it went past the stop strings to max_tokens")
    if Capability.CONTINUE in backend.capabilities:
        demand(choice.finish == "boundary", f"finish is {choice.finish!r} at a stop string")


@_check()
async def _stream(backend: Backend) -> None:
    """With `stream`, progress grows piece by piece and ends equal to the reply."""
    grown: list[int] = []
    await call(backend, replace(ASK, stream=True), Progress(watch=grown.append))
    demand(len(grown) > 1, f"progress grew {len(grown)} times while 24 tokens came")


@_check()
async def _unicode(backend: Backend) -> None:
    """Text in any script goes in and comes out."""
    question = "Repeat exactly: Zoë 数学 🎉 ‏שלום‏ e\u0301"
    await call(backend, replace(ASK, messages=({"role": "user", "content": question},), stream=True))


@_check()
async def _concurrency(backend: Backend) -> None:
    """Several calls at once each get their own reply."""
    done: list[Completion] = []

    async def one(length: int) -> None:
        done.append(await call(backend, replace(ASK, max_tokens=length, stream=length % 2 == 0)))

    async with anyio.create_task_group() as group:
        for length in range(3, 3 + min(4, backend.concurrency)):
            group.start_soon(one, length)
    demand(len(done) == min(4, backend.concurrency), "a call got lost")


@_check(Capability.N)
async def _n(backend: Backend) -> None:
    """`n` choices come from one prompt, which is charged once."""
    alone = await call(backend, ASK)
    most = backend.most_choices if isinstance(backend, Batches) else None
    n = 3 if most is None else min(3, most)
    several = await call(backend, replace(ASK, n=n, temperature=1.0, stream=True))
    demand(len({id(choice) for choice in several.choices}) == n, "one choice is given several times")
    demand(several.usage.prompt == alone.usage.prompt, f"the prompt is charged as {several.usage} for n={n}")


@_check(Capability.CONTINUE)
async def _continue(backend: Backend) -> None:
    """Text goes on from the prefix, without repeating it, and the prefix is charged as prompt."""
    prefix = "one, two, three, four, five,"
    alone = await call(backend, ASK)
    for request in (replace(ASK, prefix=prefix), replace(ASK, prefix=prefix, stream=True)):
        completion = await call(backend, request)
        text = completion.choices[0].text
        demand(not text.lstrip().startswith(prefix), f"the prefix is repeated: {text!r}")
        demand(completion.usage.prompt > alone.usage.prompt, "the prefix is not charged")


@_check(Capability.CONTINUE)
async def _steps(backend: Backend) -> None:
    """With the stop string that ended it put back, a text goes on behind it."""
    said = (await call(backend, ASK)).choices[0].text
    stop = next((letter for letter in said[1:-1] if letter.isalnum()), None)
    if stop is None:
        raise Nonconforming(f"{said!r} has no letter to stop at")
    prefix = ""
    for _ in range(2):
        choice = (await call(backend, replace(ASK, prefix=prefix, stop=(stop,)))).choices[0]
        demand(not choice.text.endswith(stop), f"the stop string is in the text {choice.text!r}")
        demand(
            bool(choice.text) or not prefix or choice.finish != "boundary",
            f"it stops again at once: {prefix!r} was ended by {stop!r} and is not continued",
        )
        prefix += choice.text + stop


@_check(Capability.SEED)
async def _seed(backend: Backend) -> None:
    """The same seed gives the same text."""
    request = replace(ASK, temperature=1.0, seed=20250)
    first, second = [(await call(backend, request)).choices[0] for _ in range(2)]
    demand(first.text == second.text, f"one seed gave {first.text!r} and {second.text!r}")


@_check(Capability.LOGPROBS)
async def _logprobs(backend: Backend) -> None:
    """Log-probabilities are those of tokens: none above 0, and the first ones sum to at most 1."""
    choice = (await call(backend, replace(ASK, logprobs=5))).choices[0]
    demand(choice.logprob is not None and choice.logprob <= 0, f"the mean log-probability is {choice.logprob}")
    demand(bool(choice.first), "no alternatives for the first token")
    demand(len(choice.first) <= 6, f"{len(choice.first)} alternatives, 5 were asked for")
    mass = math.fsum(math.exp(value) for value in choice.first.values())
    demand(max(choice.first.values()) <= 0 and mass <= 1.001, f"these are no log-probabilities: {choice.first}")


@_check(Capability.SCHEMA)
async def _schema(backend: Backend) -> None:
    """With a schema, the text is JSON that fits it."""
    question = {"role": "user", "content": 'Is water wet? Reply in JSON as {"ok": true} or {"ok": false}.'}
    text = (await call(backend, replace(ASK, messages=(question,), schema=SCHEMA, max_tokens=64))).choices[0].text
    try:
        value = json.loads(text)
    except ValueError:
        raise Nonconforming(f"the text is no JSON: {text!r}") from None
    fits = isinstance(value, dict) and list(value) == ["ok"] and isinstance(value["ok"], bool)
    demand(fits, f"{text} does not fit the schema")


@_check(Capability.CANCEL)
async def _cancel(backend: Backend) -> None:
    """A cancelled call ends, has booked what it produced, produces no more, and leaves the backend usable."""
    with anyio.CancelScope() as scope:
        progress = Progress(watch=lambda _: scope.cancel())
        await call(backend, replace(ASK, max_tokens=256, stream=True), progress)
    demand(scope.cancelled_caught, "the call ran to its end although it was cancelled")
    booked = sum(progress.tokens)
    demand(0 < booked <= 256, f"{booked} tokens are booked")
    demand(progress.prompt_tokens > 0, "no prompt tokens are booked")
    await call(backend, replace(ASK, max_tokens=4))
    demand(sum(progress.tokens) == booked, "the cancelled call went on")


@_check()
async def _undeclared(backend: Backend) -> None:
    """What is not declared is refused with MissingCapability, before anything is produced."""
    wants = {
        Capability.CONTINUE: replace(ASK, prefix="one,"),
        Capability.N: replace(ASK, n=2),
        Capability.LOGPROBS: replace(ASK, logprobs=1),
        Capability.SCHEMA: replace(ASK, schema=SCHEMA),
        Capability.IMAGES: replace(ASK, messages=(*ASK.messages, {"role": "user", "content": [PICTURE]})),
        Capability.THINKING: replace(ASK, thinking="low"),
        Capability.THINKING_BUDGET: replace(ASK, thinking=8),
    }
    for capability, request in wants.items():
        if capability not in backend.capabilities:
            progress = Progress()
            try:
                await call(backend, request, progress)
            except MissingCapability:
                demand(progress == Progress(), f"work was done before {capability!s} was refused")
                continue
            raise Nonconforming(f"{capability!s} is not declared, and not refused")


@_check()
async def _aclose(backend: Backend) -> None:
    """Closing twice is safe."""
    await backend.aclose()
    await backend.aclose()
