"""Whatever an upstream does, a client of the SDK gets an answer or a typed error, in time."""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from gateway_process import Gateway, serving
from openai import AsyncOpenAI, OpenAI
from upstream_faults import CASES, WAYS, Case

from tests.servers.chat import ChatServer, running

pytestmark = pytest.mark.anyio

ASK: Any = [{"role": "user", "content": "What is 2 + 2?"}]

UPSTREAM = """
[upstreams.u{at}]
url = "{url}"
models = ["{model}"]
timeout = {timeout}
"""

ANSWER = "answer"

AT_ONCE = 32

Outcomes = dict[tuple[str, str], str]
"""`ANSWER` or the code of an error, by the name of the fault and the way of the request."""


def configuration(place: Path, server: ChatServer, faults: dict[str, Case]) -> Path:
    """An upstream for each fault and way: they share a server, but no breaker."""
    path, parts = place / "gateway.toml", []
    for at, (name, way) in enumerate(itertools.product(faults, WAYS)):
        model, case = f"{name}, {way}", faults[name]
        server.faulty[model] = case.fault
        parts.append(UPSTREAM.format(at=at, url=server.url, model=model, timeout=case.timeout))
    path.write_text("".join(parts))
    return path


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("faults")
    with running() as server:
        path = configuration(place, server, CASES)
        with serving("--config", str(path), store=place / "runs.db") as gateway:
            yield gateway


def asked(name: str, way: str) -> dict[str, Any]:
    """The arguments of the SDK."""
    model = f"{name}, {way}"
    return {
        "model": f"ponder/self-consistency(n=3)/{model}" if way.startswith("scaled") else model,
        "messages": ASK,
        "max_tokens": 64,
        "stream": way in ("streamed", "scaled stream"),
        "extra_headers": {"x-ponder-deadline": str(CASES[name].seconds)},
    }


def of_reply(reply: Any) -> str:
    assert reply.choices[0].message.content
    return ANSWER


def readable(piece: Any) -> Any:
    assert isinstance(piece.choices, list), piece
    return piece


def of_pieces(pieces: list[Any]) -> str:
    assert any(choice.delta.content for piece in pieces for choice in piece.choices)
    return ANSWER


def of_error(error: openai.APIError) -> str:
    return error.code or str(getattr(error, "status_code", repr(error)))


async def outcome(client: AsyncOpenAI, name: str, way: str) -> str:
    arguments = asked(name, way)
    try:
        reply = await client.chat.completions.create(**arguments)
        return of_pieces([readable(piece) async for piece in reply]) if arguments["stream"] else of_reply(reply)
    except openai.APIError as error:
        return of_error(error)
    except Exception as error:  # noqa: BLE001 - there should be no other
        return repr(error)


@pytest.fixture(scope="module")
def outcomes(gateway: Gateway) -> Outcomes:
    """What becomes of every fault in every way, many at the same time."""
    found: Outcomes = {}

    async def everything() -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(name: str, way: str) -> None:
            async with turns:
                found[name, way] = await outcome(client, name, way)

        async with gateway.async_client as client, asyncio.timeout(250):
            await asyncio.gather(*(one(name, way) for way in reversed(WAYS) for name in CASES))

    asyncio.run(everything())
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_an_answer_or_a_typed_error(outcomes: Outcomes, name: str, way: str) -> None:
    assert outcomes[name, way] == CASES[name].expected(way)


@pytest.mark.parametrize("way", ["passed", "streamed"])
def test_the_synchronous_client_is_told_the_same(gateway: Gateway, outcomes: Outcomes, way: str) -> None:
    def told(client: OpenAI, name: str) -> str:
        arguments = asked(name, way)
        try:
            reply = client.chat.completions.create(**arguments)
            return of_pieces(list(map(readable, reply))) if arguments["stream"] else of_reply(reply)
        except openai.APIError as error:
            return of_error(error)

    quick = [name for name, case in CASES.items() if "upstream_timeout" not in (case.passed, case.streamed)]
    with gateway.client as client:
        for name in quick:
            # Its breaker has seen one failure: of four more, the last opens it.
            assert told(client, name) == outcomes[name, way], name


def look(gateway: Gateway, path: str) -> str:
    with urllib.request.urlopen(gateway.url.removesuffix("/v1") + path, timeout=60) as response:
        text: str = response.read().decode()
        return text


def test_afterwards_nothing_is_under_way(gateway: Gateway, outcomes: Outcomes) -> None:
    assert json.loads(look(gateway, "/health"))["engine"]["status"] == "ok"
    page = look(gateway, "/metrics")
    assert "\nponder_branches 0.0\n" in page
    assert "\nponder_queue_waiting 0.0\n" in page


def test_every_stream_ends_in_its_end_mark(gateway: Gateway, outcomes: Outcomes) -> None:
    for name in ("silence in the middle", "a reset in the middle"):
        with urllib.request.urlopen(streamed(gateway, name), timeout=60) as response:
            *_, last, end = [line for line in response.read().splitlines() if line]
        assert (end, "error" in json.loads(last.removeprefix(b"data: "))) == (b"data: [DONE]", True), name


def test_a_stream_that_is_broken_from_the_beginning_has_a_status(gateway: Gateway, outcomes: Outcomes) -> None:
    for name in ("no UTF-8", "an empty stream"):
        with pytest.raises(urllib.error.HTTPError, match="502") as refused:
            urllib.request.urlopen(streamed(gateway, name), timeout=60)
        assert json.load(refused.value)["error"]["code"] == "upstream_error", name


def streamed(gateway: Gateway, name: str) -> urllib.request.Request:
    """A request for a stream, which the upstream answers with this fault."""
    arguments = asked(name, "streamed")
    fields = {field: arguments[field] for field in ("model", "messages", "stream")}
    return urllib.request.Request(f"{gateway.url}/chat/completions", json.dumps(fields).encode())
