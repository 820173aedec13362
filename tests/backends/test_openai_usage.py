"""Tokens that a server does not count, or says what cannot be of, are estimated, and the bill says so."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.backends.openai import OpenAI
from ponder.backends.openai.counts import Count, Written, believed, ceiling, read_count
from ponder.core.backend import Progress, Request
from ponder.core.completion import Completion
from ponder.core.errors import BackendError, BrokenReply, CallTimeout
from tests.servers import faults
from tests.servers.chat import ChatServer
from tests.servers.faults import Fault, chunk, event, text_chunk

ASK = Request(messages=({"role": "user", "content": "Tell me about Zoë."},), max_tokens=200)
PROMPT = 5
"""Tokens of its 19 bytes."""

TEXT = "word " * 80
TOKENS = 100
"""Of its 400 bytes."""

DONE = b"data: [DONE]\n\n"


def whole(text: str, usage: object) -> Fault:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    return faults.body(json.dumps({"choices": [choice], "usage": usage}).encode())


def streamed(text: str, usage: object) -> Fault:
    return faults.stream([chunk(text), chunk("", finish="stop"), event({"choices": [], "usage": usage}), DONE])


LIES: dict[str, object] = {
    "nothing": None,
    "an empty object": {},
    "a list": [400],
    "negative": {"prompt_tokens": -7, "completion_tokens": -9},
    "zero": {"prompt_tokens": 0, "completion_tokens": 0},
    "one": {"prompt_tokens": 0, "completion_tokens": 1},
    "huge": {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    "a million": {"prompt_tokens": 10**6, "completion_tokens": 10**6},
    "more than bytes and limit": {"prompt_tokens": None, "completion_tokens": 500},
    "a fraction": {"prompt_tokens": 9.5, "completion_tokens": 99.5},
    "truth values": {"prompt_tokens": True, "completion_tokens": True},
    "words": {"prompt_tokens": "9", "completion_tokens": "ninety"},
    "objects": {"prompt_tokens": {"n": 9}, "completion_tokens": [90]},
}


@pytest.mark.anyio
@pytest.mark.parametrize("make", [whole, streamed])
@pytest.mark.parametrize("name", LIES)
async def test_what_cannot_be_is_replaced_and_marked(server: ChatServer, backend: OpenAI, name: str, make: Any) -> None:
    server.faults.append(make(TEXT, LIES[name]))
    progress = Progress()
    completion = await backend.generate(replace(ASK, stream=make is streamed), progress)
    usage = completion.usage
    assert (usage.prompt, usage.output, usage.estimated) == (PROMPT, TOKENS, PROMPT + TOKENS)
    assert completion.choices[0].tokens == TOKENS


TRUTHS = [
    ({"prompt_tokens": 30, "completion_tokens": 90}, (30, 90)),
    ({"prompt_tokens": 5_000, "completion_tokens": 7}, (5_000, 7)),  # a long template, long tokens
    ({"prompt_tokens": 1, "completion_tokens": 400}, (1, 400)),  # a token a byte
    ({"prompt_tokens": 30, "completion_tokens": 416}, (30, 416)),  # reasoning that nobody sees
]


@pytest.mark.anyio
@pytest.mark.parametrize("make", [whole, streamed])
@pytest.mark.parametrize(("told", "expected"), TRUTHS)
async def test_what_can_be_is_believed(
    server: ChatServer, backend: OpenAI, told: object, expected: tuple[int, int], make: Any
) -> None:
    server.faults.append(make(TEXT, told))
    usage = (await backend.generate(replace(ASK, stream=make is streamed), Progress())).usage
    assert (usage.prompt, usage.output, usage.estimated) == (*expected, 0)


@pytest.mark.anyio
async def test_a_half_truth_is_estimated_by_half(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(whole(TEXT, {"prompt_tokens": 30, "completion_tokens": -1}))
    usage = (await backend.generate(ASK, Progress())).usage
    assert (usage.prompt, usage.output, usage.estimated) == (30, TOKENS, TOKENS)


@pytest.mark.anyio
async def test_a_count_from_the_beginning_does_not_stand_for_the_whole(server: ChatServer, backend: OpenAI) -> None:
    first = event({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 1}})
    server.faults.append(faults.stream([first, chunk(TEXT), chunk(TEXT, finish="stop"), DONE]))
    usage = (await backend.generate(replace(ASK, stream=True), Progress())).usage
    assert (usage.prompt, usage.output) == (30, 1 + 2 * TOKENS)


@pytest.mark.anyio
async def test_lies_with_every_piece_change_nothing(server: ChatServer, backend: OpenAI) -> None:
    def lying(text: str, tokens: object, finish: str | None = None) -> bytes:
        data = json.loads(chunk(text, finish=finish)[6:])
        return event({**data, "usage": {"prompt_tokens": 9, "completion_tokens": tokens}})

    pieces = [
        lying("word " * 20, 0),
        lying("word " * 20, -5),
        lying("word " * 20, True),
        lying("word " * 20, 0, "stop"),
    ]
    server.faults.append(faults.stream([*pieces, DONE]))
    progress = Progress()
    completion = await backend.generate(replace(ASK, stream=True), progress)
    assert completion.usage.output == completion.choices[0].tokens == progress.tokens[0] == TOKENS


@pytest.mark.anyio
async def test_arguments_of_tools_count_and_their_framing_does_not(server: ChatServer, backend: OpenAI) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": "x" * 8}} for _ in range(12)]
    pieces = [chunk("", tool_calls=[one]) for one in (call, *rest)]
    server.faults.append(faults.stream([*pieces, chunk("", finish="tool_calls"), DONE]))
    completion = await backend.generate(replace(ASK, stream=True), Progress())
    assert completion.usage.output == 25  # 4 + 96 bytes


async def cut(server: ChatServer, backend: OpenAI, *pieces: bytes, n: int = 1) -> tuple[Completion, Progress]:
    """What becomes of a stream that goes on and on with these; the server sees that nobody listens any more."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    server.events.clear()
    server.faults.append(faults.raw(head, then=pieces * 4000))
    progress = Progress()
    completion = await backend.generate(replace(ASK, max_tokens=50, stream=True, n=n), progress)
    assert progress.tokens == [choice.tokens for choice in completion.choices]
    return completion, progress


ENDLESS = {
    "words": (chunk("word "),),
    "letters": (chunk("a"),),
    "large pieces": (chunk("word " * 10_000),),
    "reasoning": (chunk("", reasoning_content="hm, "),),
    "white space": (chunk(" "), chunk("\n\n\n")),
    "arguments": (chunk("", tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "12345"}}]),),
    "tools without a name": (chunk("", tool_calls=[{"index": 0}]),),
    "text": (text_chunk("word "),),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", ENDLESS)
async def test_a_stream_without_end_is_cut_at_the_limit(server: ChatServer, backend: OpenAI, name: str) -> None:
    completion, _ = await cut(server, backend, *ENDLESS[name])
    [choice] = completion.choices
    assert choice.finish == "length"
    assert 50 < choice.tokens <= ceiling(50)
    assert len(choice.text) + len(choice.thinking) <= 4 * ceiling(50)
    assert completion.usage.estimated == choice.tokens + PROMPT


@pytest.mark.anyio
async def test_each_of_several_choices_is_cut(server: ChatServer, backend: OpenAI) -> None:
    completion, _ = await cut(server, backend, chunk("word "), chunk("more ", index=1), n=2)
    assert [choice.finish for choice in completion.choices] == ["length", "length"]
    assert all(choice.tokens <= ceiling(50) for choice in completion.choices)


@pytest.mark.anyio
async def test_a_reply_that_ends_within_the_margin_is_whole(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.stream([chunk("word " * 80), chunk("", finish="stop"), DONE]))  # an estimate errs
    completion = await backend.generate(replace(ASK, max_tokens=50, stream=True), Progress())
    assert (completion.choices[0].finish, completion.choices[0].text) == ("stop", "word " * 80)


TRICKLES = {
    "comments": b": still here\n\n",
    "white space": chunk(" "),
    "empty pieces": chunk(""),
    "no choices": event({"choices": []}),
    "usage": event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}),
    "half an event": b"data: ",
    "bare lines": b"\n",
}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("name", TRICKLES)
async def test_signs_of_life_alone_come_to_an_end(server: ChatServer, name: str, kind: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()
    server.faults.append(faults.raw(head, chunk("Once"), then=[TRICKLES[name]] * 10_000, pause=0.01))
    progress = Progress()
    async with aclosing(OpenAI(server.url, "test-model", timeout=0.3)) as backend:
        with pytest.raises(CallTimeout, match=r"test-model.*nothing to read for 0\.3 seconds") as caught:
            await backend.generate(replace(ASK, max_tokens=2000, stream=True), progress)
    assert isinstance(caught.value, BackendError)
    assert progress.texts[0].strip() == "Once"
    assert sum(progress.tokens) >= 1


@pytest.mark.anyio
@pytest.mark.parametrize("start", [b"", b"{", b'{"choices": ['], ids=["at once", "in an object", "in a list"])
async def test_white_space_in_one_piece_comes_to_an_end(server: ChatServer, start: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
    server.faults.append(faults.raw(head + start, then=[b" "] * 10_000, pause=0.01))
    async with aclosing(OpenAI(server.url, "test-model", timeout=0.3)) as backend:
        with pytest.raises(CallTimeout, match="nothing to read"):
            await backend.generate(ASK, Progress())


@pytest.mark.anyio
async def test_a_server_that_thinks_for_long_and_says_so_is_waited_for(server: ChatServer) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    pieces = [b": still here\n\n"] * 8
    server.faults.append(faults.raw(head, *pieces, chunk("It is 4.", finish="stop"), DONE, pause=0.2))
    async with aclosing(OpenAI(server.url, "test-model", timeout=0.5)) as backend:
        completion = await backend.generate(replace(ASK, stream=True), Progress())
    assert completion.choices[0].text == "It is 4."


@pytest.mark.anyio
@pytest.mark.parametrize("number", ["NaN", "Infinity", "true", "1" + "0" * 400, '"-1"', "null"])
async def test_log_probabilities_that_are_none(server: ChatServer, backend: OpenAI, number: str) -> None:
    choice = {"delta": {"content": "a"}, "logprobs": {"content": [{"logprob": "NUMBER"}]}}
    piece = event({"choices": [choice]}).replace(b'"NUMBER"', number.encode())
    server.faults.append(faults.stream([piece, chunk("", finish="stop"), DONE]))
    with pytest.raises(BrokenReply, match="no log-probability"):
        await backend.generate(replace(ASK, stream=True, logprobs=1), Progress())


@given(st.integers(-(2**70), 2**70), st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**5))
def test_no_count_is_believed_that_is_free_or_absurd(told: int, size: int, pieces: int, limit: int) -> None:
    written = Written(size, min(size, pieces))
    output = believed(read_count({"completion_tokens": told}), 100, written, limit).output
    if output is None:
        assert not written.tokens <= told <= max(limit, size)
    else:
        assert output == told
        assert written.tokens // 16 <= told <= max(limit, size)
        assert told > 0 or size == 0


def test_a_count_is_read_only_as_a_number() -> None:
    assert read_count({"prompt_tokens": True, "completion_tokens": 3.0}) == Count()
