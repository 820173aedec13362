"""Streams that people can use: what goes on, the answer, errors where SDKs expect them."""

from __future__ import annotations

import asyncio
import http.client
import json
from urllib.parse import urlsplit

import openai
import pytest
from aiohttp import web
from gateway_process import Gateway
from openai import OpenAI

from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED, chunk, stream
from tests.servers.replies import Said

ASK = [{"role": "user", "content": "How much is it?"}]
FOUR = "ponder/self-consistency(n=4)/test-model"
SINGLE = "ponder/single/test-model"


def lines_of(gateway: Gateway, **fields: object) -> list[str]:
    """The stream as it goes over the wire, without empty lines."""
    parts = urlsplit(gateway.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    body = json.dumps({"messages": ASK, "stream": True, **fields})
    connection.request("POST", f"{parts.path}/chat/completions", body)
    text = connection.getresponse().read().decode()
    connection.close()
    return [line for line in text.splitlines() if line]


def payloads(lines: list[str]) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def test_role_then_progress_then_the_answer(client: OpenAI, server: ChatServer) -> None:
    server.token_latency = 0.3
    server.says = lambda body, index: Said([" so", " it", " goes.", f" Answer: {4 + index // 3}", "\n"], "stop")
    pieces = list(client.chat.completions.create(model=FOUR, messages=ASK, stream=True))
    deltas = [piece.choices[0].delta for piece in pieces]
    assert deltas[0].role == "assistant"
    progress = [delta.model_extra["reasoning_content"] for delta in deltas if "reasoning_content" in delta.model_extra]
    assert progress[0].startswith("4 branches, 0 ended")
    assert any("provisional answer 4 (confidence 0.75)" in line for line in progress)
    content = [delta.content for delta in deltas if delta.content]
    assert content == [" so it goes. Answer: 4\n"]
    assert [piece.choices[0].finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + ["stop"]
    assert pieces[-1].model_extra["ponder"]["confidence"] == 0.75
    assert len({piece.id for piece in pieces}) == 1


def test_a_single_pass_is_sent_as_it_grows(client: OpenAI, server: ChatServer) -> None:
    server.token_latency = 0.05
    words = ["One", " two", " three", " four", " five", " six"]
    server.says = lambda body, index: Said(words, "stop")
    pieces = client.chat.completions.create(model=SINGLE, messages=ASK, stream=True)
    content = [piece.choices[0].delta.content for piece in pieces if piece.choices[0].delta.content]
    assert "".join(content) == "".join(words)
    assert len(content) > 2


@pytest.mark.parametrize("model", [FOUR, SINGLE])
@pytest.mark.parametrize("options", [None, {"include_usage": False}, {}])
def test_no_usage_unless_it_was_asked_for(gateway: Gateway, model: str, options: dict[str, bool] | None) -> None:
    lines = lines_of(gateway, model=model, stream_options=options)
    assert lines[-1] == "data: [DONE]"
    assert not any("usage" in payload for payload in payloads(lines))


@pytest.mark.parametrize("model", [FOUR, SINGLE])
def test_the_usage_of_all_branches_comes_last(gateway: Gateway, server: ChatServer, model: str) -> None:
    server.says = lambda body, index: Said([" a"] * 5, "stop")
    lines = lines_of(gateway, model=model, stream_options={"include_usage": True})
    *others, last = payloads(lines)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == (20 if model == FOUR else 5)
    assert all(other["usage"] is None for other in others)
    assert lines[-1] == "data: [DONE]"


def test_a_long_silence_is_broken_by_comments(gateway: Gateway, server: ChatServer) -> None:
    server.latency = 12
    lines = lines_of(gateway, model=SINGLE)
    assert 1 <= lines.count(": still at work") <= 3
    assert lines[-1] == "data: [DONE]"


async def refuse_late(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.5)
    return await NAMED["401"](request)


def test_a_run_that_fails_ends_in_an_error(client: OpenAI, server: ChatServer, gateway: Gateway) -> None:
    server.faults.append(refuse_late)
    pieces = client.chat.completions.create(model=FOUR, messages=ASK, stream=True)
    with pytest.raises(openai.APIError, match="the key in OPENAI_API_KEY is not accepted") as caught:
        list(pieces)
    assert caught.value.code == "upstream_rejected"
    server.faults.append(refuse_late)
    assert lines_of(gateway, model=FOUR)[-1] == "data: [DONE]"


def test_what_is_wrong_beforehand_has_a_status(client: OpenAI, server: ChatServer) -> None:
    with pytest.raises(openai.BadRequestError, match="the budget does not cover one call"):
        client.chat.completions.create(
            model=FOUR, messages=ASK, stream=True, max_tokens=100, extra_body={"ponder": {"budget": "tokens=50"}}
        )
    assert server.bodies == []


@pytest.mark.parametrize("model", [FOUR, SINGLE])
def test_a_client_that_goes_away_cancels_the_run_and_what_came_is_booked(
    client: OpenAI, server: ChatServer, model: str
) -> None:
    server.token_latency = 0.2
    server.says = lambda body, index: Said([" word"] * 200, "stop")
    with client.chat.completions.create(model=model, messages=ASK, stream=True) as pieces:
        first = next(pieces)
        next(pieces)
    server.wait_for("cancelled", seconds=10)
    run = client.get(f"/runs/{first.id.removeprefix('chatcmpl-')}", cast_to=dict[str, object])
    assert run["status"] == "interrupted"
    assert 0 < run["bill"]["output_tokens"] < 200


@pytest.mark.anyio
async def test_the_asynchronous_sdk(gateway: Gateway, server: ChatServer) -> None:
    server.says = lambda body, index: Said(["Answer: 4"], "stop")
    async with gateway.async_client as client:
        pieces = await client.chat.completions.create(model=FOUR, messages=ASK, stream=True)
        content = [piece.choices[0].delta.content async for piece in pieces]
    assert "".join(filter(None, content)) == "Answer: 4"


def test_the_sdks_own_helper_puts_the_pieces_together(client: OpenAI, server: ChatServer) -> None:
    server.says = lambda body, index: Said(["Answer: 4"], "stop")
    with client.chat.completions.stream(model=FOUR, messages=ASK, stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Answer: 4"
    assert final.usage.completion_tokens == 4


def test_reasoning_that_was_sent_as_the_answer_is_closed(client: OpenAI, server: ChatServer) -> None:
    server.token_latency = 0.1
    server.says = lambda body, index: Said(["We think", " hard", "</think>", "Answer: 4"], "stop")
    pieces = client.chat.completions.create(model=SINGLE, messages=ASK, stream=True)
    content = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert content == "We think hard</think>Answer: 4"


def test_a_reply_that_breaks_off_is_not_mixed_with_the_next_one(client: OpenAI, server: ChatServer) -> None:
    server.faults.append(stream([chunk(" once")] * 200, then="cut"))
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.chat.completions.create(model=SINGLE, messages=ASK, stream=True))
