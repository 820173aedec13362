"""Whatever an upstream sends, a call ends in an answer or a typed error, and its bill is neither free nor boundless."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from ponder.backends.openai import OpenAI
from ponder.backends.openai.counts import FEWEST, UNSEEN, ceiling
from ponder.core.backend import Progress, Request
from ponder.core.completion import Completion
from ponder.core.errors import BackendError
from tests.gateway.api.gateway_process import Gateway, serving
from tests.hostile.seed import SEED
from tests.hostile.streamed import Shape, shape_of
from tests.hostile.watching import watching
from tests.servers.bytes import Says, speaking
from tests.servers.chat import ChatServer, running
from tests.servers.faults import Fault, raw

SHAPES = [shape_of(f"{SEED} {at}") for at in range(300)]
THROUGH = [shape_of(f"{SEED} through {at}") for at in range(60)]
TIMEOUT = 0.3
"""Seconds that a server may be silent here."""

ASK = Request(messages=({"role": "user", "content": "What is 2 + 2?"},))
PROMPT = 16
"""Bytes of the question, and some."""


def saying(shape: Shape) -> Says:
    """A server that answers every request with this shape."""

    async def say(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (shape.head, *shape.pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while shape.end == "for ever":
            writer.write(shape.again)
            await writer.drain()
            await asyncio.sleep(0.002)
        if shape.end == "hang":
            await reader.read()  # until the client has had enough
        writer.close()

    return say


async def outcome(shape: Shape) -> tuple[Completion | BackendError, Progress]:
    """What becomes of one call, and what it had produced."""
    progress = Progress()
    request = Request(messages=ASK.messages, n=shape.n, max_tokens=shape.max_tokens, stream=shape.stream, logprobs=1)
    async with speaking(saying(shape)) as talk, asyncio.timeout(60):
        backend = OpenAI(f"{talk.url}/v1", "m", server="vllm", timeout=TIMEOUT)
        try:
            return await backend.generate(request, progress), progress
        except BackendError as error:
            return error, progress
        finally:
            await backend.aclose()


def check(shape: Shape, ended: Completion | BackendError, progress: Progress) -> None:
    """What holds for every shape."""
    streamed = shape.n * ceiling(shape.max_tokens)
    most = max(streamed, shape.n * shape.size)  # a reply in one piece has come before anybody can cut it
    assert 0 <= sum(progress.tokens) <= most
    for text, tokens in zip(progress.texts, progress.tokens, strict=True):
        assert len(text.encode("utf-8", "surrogatepass")) // 4 // FEWEST <= tokens
    assert 0 <= progress.cached_tokens <= progress.prompt_tokens <= shape.n * (PROMPT + UNSEEN)
    assert 0 <= progress.estimated <= sum(progress.tokens) + progress.prompt_tokens
    if isinstance(ended, BackendError):
        assert "\n" not in str(ended)
        assert "/v1 (model 'm')" in str(ended)
        assert len(str(ended)) < 500
        return
    assert len(ended.choices) == shape.n
    for choice in ended.choices:
        size = len((choice.text + choice.thinking).encode())
        assert size // 4 // FEWEST <= choice.tokens
        assert choice.tokens > 0 or size == 0
        assert 0 <= choice.thinking_tokens <= choice.tokens
        json.dumps([choice.logprob, dict(choice.first)], allow_nan=False)
    assert sum(choice.tokens for choice in ended.choices) == ended.usage.output <= most
    assert 1 <= ended.usage.prompt <= shape.n * (PROMPT + UNSEEN)
    assert 0 <= ended.usage.estimated <= ended.usage.output + ended.usage.prompt


@pytest.mark.anyio
async def test_every_call_ends_in_an_answer_or_a_typed_error_and_is_billed_within_bounds() -> None:
    turns = asyncio.Semaphore(24)

    async def one(at: int, shape: Shape) -> Completion | BackendError:
        async with turns:
            try:
                ended, progress = await outcome(shape)
                check(shape, ended, progress)
            except BaseException as error:
                error.add_note(f"shape {at} of seed {SEED}: {shape!r:.2000}")
                raise
            return ended

    ends = await asyncio.gather(*(one(at, shape) for at, shape in enumerate(SHAPES)))
    answered = [one for one in ends if isinstance(one, Completion)]
    assert answered
    assert len(answered) < len(ends), "there are both, or the shapes show nothing"


def fault(shape: Shape) -> Fault:
    """The same, of the server that is behind a gateway."""
    forever = itertools.repeat(shape.again) if shape.end == "for ever" else ()
    made = raw(shape.head, *shape.pieces, then=forever, pause=0.002)

    async def answer(request: web.Request) -> web.StreamResponse:
        if shape.end == "hang":
            transport = request.transport
            assert transport is not None
            transport.write(b"".join((shape.head, *shape.pieces)))
            await asyncio.Event().wait()
        return await made(request)

    return answer


UPSTREAM = """
[upstreams.u{at}]
url = "{url}"
models = ["m{at}"]
price = "1/1"
timeout = 1
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """In front of all shapes, each a model of an upstream of its own."""
    place = tmp_path_factory.mktemp("streams")
    with running(ChatServer()) as server:
        server.faulty |= {f"m{at}": fault(shape) for at, shape in enumerate(THROUGH)}
        path = place / "gateway.toml"
        path.write_text("".join(UPSTREAM.format(at=at, url=server.url) for at in range(len(THROUGH))))
        with serving("--config", str(path), store=Path(place / "runs.db")) as gateway:
            yield gateway


def asked(gateway: Gateway, at: int) -> tuple[int, str, bytes]:
    """Status, content type and body of what a client gets."""
    shape = THROUGH[at]
    body: dict[str, Any] = {"model": f"m{at}", "messages": list(ASK.messages), "max_tokens": shape.max_tokens}
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=60)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps({**body, "n": shape.n, "stream": shape.stream}))
        response = connection.getresponse()
        return response.status, response.getheader("content-type", ""), response.read()
    finally:
        connection.close()


def test_what_passes_through_is_an_answer_or_an_error_of_the_api(gateway: Gateway) -> None:
    with watching(gateway.url) as watch, ThreadPoolExecutor(16) as threads:
        watch.during_now = "hostile streams"
        told = list(threads.map(lambda at: asked(gateway, at), range(len(THROUGH))))
    for at, ((status, kind, data), shape) in enumerate(zip(told, THROUGH, strict=True)):
        about = f"shape {at} of seed {SEED}: {shape!r:.1000}"
        if status != 200:
            assert json.loads(data)["error"]["message"], about
        elif shape.stream:
            assert kind == "text/event-stream", about
            assert data.endswith(b"data: [DONE]\n\n"), about
        else:
            assert json.loads(data)["choices"], about
    with urllib.request.urlopen(gateway.url.removesuffix("/v1") + "/metrics", timeout=60) as response:
        found = re.findall(r'^ponder_tokens_total\{.*kind="(\w+)".*\} (\S+)$', response.read().decode(), re.MULTILINE)
    output = sum(float(tokens) for kind, tokens in found if kind == "output")
    assert 0 < output <= sum(max(one.n * ceiling(one.max_tokens), one.size) for one in THROUGH)
    assert {status for status, _, _ in told} > {200}
