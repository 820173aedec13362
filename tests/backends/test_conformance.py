"""Every backend that ships passes the kit, and the kit fails those that should fail."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from ponder.backends.conformance import CHECKS, check
from ponder.backends.openai import OpenAI
from ponder.backends.openai.address import Wire
from ponder.backends.scripted import Scripted
from ponder.backends.weights import resolve
from ponder.core.backend import Backend, Capability, Progress, Request
from ponder.core.completion import Choice, Completion
from tests.servers.chat import ChatServer

pytestmark = pytest.mark.anyio

COUNT = (
    "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, "
    "seventeen, eighteen, nineteen, twenty, and so on, and on, and on, and on, and on, and on, and on, and on"
)
MODEL = "local/smollm2-135m"


async def findings(backend: Backend) -> list[str]:
    return [str(finding) for finding in await check(backend)]


def count(request: Request, index: int) -> str:
    """What the kit asks for."""
    return json.dumps({"ok": True}) if request.schema is not None else COUNT


async def test_the_scripted_backend_conforms() -> None:
    assert await findings(Scripted(count)) == []


@pytest.mark.parametrize("missing", sorted(set(Capability) - {Capability.SAMPLE}), ids=str)
async def test_a_backend_may_do_less(missing: Capability) -> None:
    backend = Scripted(count, capabilities=set(Capability) - {missing})
    assert await findings(backend) == []


@pytest.mark.parametrize("kind", ["vllm", "unknown"])
async def test_a_server_of_the_chat_api_conforms(server: ChatServer, kind: str) -> None:
    server.token_latency = 0.001  # so that there is something to cancel
    assert await findings(OpenAI(server.url, "test-model", server=kind)) == []


@pytest.mark.parametrize("kind", ["vllm", "unknown"])
async def test_a_server_of_text_completions_conforms(server: ChatServer, kind: str) -> None:
    server.token_latency = 0.001
    assert await findings(OpenAI(server.url, "test-model", wire="text", server=kind)) == []


@pytest.fixture(scope="module")
def runtime() -> Any:
    return pytest.importorskip("ponder.backends.llamacpp", reason="the embedded runtime is not there")


@pytest.fixture(scope="module")
def weights() -> Path:
    return resolve(MODEL)


async def test_the_embedded_model_conforms(runtime: Any, weights: Path) -> None:
    assert await findings(runtime.LlamaCpp.open(MODEL)) == []


@pytest.mark.parametrize("wire", ["chat", "text"])
async def test_the_runtimes_http_server_conforms(runtime: Any, weights: Path, wire: Wire) -> None:
    with runtime.serve(weights) as url:
        backend = OpenAI(url, "smollm2", wire=wire)
        assert await backend.detect() == "llamacpp"
        assert await findings(backend) == []


class Bent(Scripted):
    """A backend with one fault: `bend` changes each choice, `bend_progress` what was streamed."""

    def __init__(
        self,
        bend: Callable[[Choice, Request], Choice] = lambda choice, _: choice,
        bend_progress: Callable[[Progress], None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(count, **options)
        self._bend = bend
        self._bend_progress = bend_progress

    async def generate(self, request: Request, progress: Progress) -> Completion:
        completion = await super().generate(request, progress)
        self._bend_progress(progress)
        return replace(completion, choices=tuple(self._bend(choice, request) for choice in completion.choices))


class Stubborn(Bent):
    """Changes the request before it obeys."""

    def __init__(self, **ignored: Any) -> None:
        super().__init__()
        self._ignored = ignored

    async def generate(self, request: Request, progress: Progress) -> Completion:
        return await super().generate(replace(request, **self._ignored), progress)


class Careless(Scripted):
    """Does what it does not declare."""

    async def generate(self, request: Request, progress: Progress) -> Completion:
        return await Scripted(count).generate(request, progress)


class Deaf(Scripted):
    """Does not hear that it is cancelled."""

    async def generate(self, request: Request, progress: Progress) -> Completion:
        with anyio.CancelScope(shield=True):
            return await super().generate(request, progress)
        raise AssertionError("a shielded scope swallows nothing")


class Trimming(Scripted):
    """Loses the end of what it is to continue."""

    async def generate(self, request: Request, progress: Progress) -> Completion:
        return await super().generate(replace(request, prefix=request.prefix[:-1]), progress)


def fickle() -> Scripted:
    """Says something else each time, whatever the seed."""
    texts = itertools.cycle([COUNT, COUNT.upper()])
    return Scripted(lambda request, index: next(texts))


def forget(progress: Progress) -> None:
    progress.texts.clear()
    progress.tokens.clear()


BENT: dict[str, tuple[Callable[[], Backend], str, str]] = {
    "counts too little": (lambda: Bent(lambda c, _: replace(c, tokens=1)), "sample", "the choices have 1"),
    "loses a stream": (lambda: Bent(bend_progress=forget), "stream", "the streamed texts [] are not the final ones"),
    "repeats the prefix": (
        lambda: Bent(lambda c, r: replace(c, text=r.prefix + c.text)),
        "continue",
        "the prefix is repeated",
    ),
    "shows reasoning": (
        lambda: Bent(lambda c, _: replace(c, text="<think>" + c.text)),
        "sample",
        "reasoning in the visible text",
    ),
    "volunteers": (lambda: Bent(lambda c, _: replace(c, logprob=-1.0)), "sample", "that nobody asked for"),
    "gives half an emoji": (lambda: Bent(lambda c, _: replace(c, text="\ud83c")), "sample", "half a UTF-16 pair"),
    "is sure": (
        lambda: Bent(lambda c, r: replace(c, first={"a": 0.0, "b": 0.0}) if r.logprobs else c),
        "logprobs",
        "these are no log-probabilities",
    ),
    "ignores the limit": (lambda: Stubborn(max_tokens=30), "max_tokens", "max_tokens was 4"),
    "ignores stop strings": (lambda: Stubborn(stop=()), "stop", "a stop string is in the text"),
    "ignores n": (lambda: Stubborn(n=1), "n", "1 choices instead of 3"),
    "ignores the schema": (lambda: Stubborn(schema=None), "schema", "the text is no JSON"),
    "ignores the stream": (lambda: Stubborn(stream=False), "stream", "the streamed texts [] are not the final ones"),
    "takes any request": (
        lambda: Careless(count, capabilities=[Capability.SAMPLE]),
        "undeclared",
        "is not declared, and not refused",
    ),
    "calls a stop a stop": (
        lambda: Bent(lambda c, _: replace(c, finish="stop")),
        "stop",
        "finish is 'stop' at a stop string",
    ),
    "trims the prefix": (lambda: Trimming(count), "steps", "it stops again at once: 'on' was ended by 'n'"),
    "has no name": (lambda: Scripted(count, name=""), "identity", "name or model is empty"),
    "is deaf": (lambda: Deaf(count), "cancel", "ran to its end although it was cancelled"),
    "forgets its seed": (fickle, "seed", "one seed gave"),
}


@pytest.mark.parametrize("name", BENT)
async def test_the_kit_finds(name: str) -> None:
    make, where, says = BENT[name]
    found = [text for text in await findings(make()) if text.startswith(f"{where}: ")]
    assert len(found) == 1
    assert says in found[0]


async def test_the_kit_reports_a_backend_that_only_raises() -> None:
    def script(request: Request, index: int) -> str:
        raise OSError("the disk is full")

    found = await check(Scripted(script))
    assert {finding.check for finding in found} == set(CHECKS) - {"identity", "undeclared", "aclose"}
    assert str(found[0]) == "sample: OSError: the disk is full"
