"""How replies end, in the words of many servers."""

from __future__ import annotations

import itertools
import json
import logging
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from ponder.backends.openai import OpenAI, ending
from ponder.backends.openai.ends import end_of
from ponder.core.backend import Progress
from ponder.core.errors import BackendError, BrokenReply
from tests.backends.test_openai_stream import ASK, DONE, one, receive
from tests.servers import faults
from tests.servers.chat import ChatServer
from tests.servers.faults import chunk, event

pytestmark = pytest.mark.anyio

WORDS = {
    "stop": ["stop", "end_turn", "eos", "eos_token", "stop_sequence", "tool_calls", "STOP", "tool_use"],
    "length": ["length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded"],
    "content_filter": ["content_filter", "SAFETY", "RECITATION", "refusal", "PROHIBITED_CONTENT", "content-filter"],
    "failed": [
        "error",
        "insufficient_system_resource",
        "network_error",
        "abort",
        "cancelled",
        "MALFORMED_FUNCTION_CALL",
    ],
}


@pytest.mark.parametrize(("end", "word"), [(end, word) for end, words in WORDS.items() for word in words])
@pytest.mark.parametrize("stream", [True, False])
async def test_each_word_has_its_meaning(
    server: ChatServer, backend: OpenAI, end: str, word: str, stream: bool
) -> None:
    message = {"role": "assistant", "content": "It is 4."}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": word}]}
    server.faults.append(
        faults.stream([chunk("It is 4.", finish=word), DONE]) if stream else faults.body(json.dumps(whole).encode())
    )
    request = replace(ASK, stream=stream)
    if end == "failed":
        with pytest.raises(BrokenReply, match=f"ended a reply with '{word}'"):
            await backend.generate(request, Progress())
    else:
        assert one(await backend.generate(request, Progress())).finish == end


async def test_a_word_that_nobody_knows_is_said_once_and_is_no_end_by_itself(
    server: ChatServer, backend: OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            completion, _ = await receive(server, backend, [chunk("It is", finish="gone_fishing"), DONE])
            assert one(completion).finish == "length"
    assert [record.message for record in caplog.records].count(
        "a reply ended with 'gone_fishing', which is not known; it counts as cut off"
    ) == 1


async def test_openrouter_names_the_error_of_the_vendor_apart(server: ChatServer, backend: OpenAI) -> None:
    choice: dict[str, Any] = {
        "index": 0,
        "delta": {"content": "It"},
        "finish_reason": "stop",
        "native_finish_reason": "error",
    }
    server.faults.append(faults.stream([event({"choices": [choice]}), DONE]))
    with pytest.raises(BrokenReply, match="ended a reply with 'error'"):
        await backend.generate(ASK, Progress())


async def test_a_byte_order_mark_and_no_end_mark(server: ChatServer, backend: OpenAI) -> None:
    completion, _ = await receive(server, backend, [b"\xef", b"\xbb\xbf" + chunk("It is "), chunk("4.", finish="stop")])
    assert one(completion).text == "It is 4."


async def test_a_last_event_that_no_empty_line_ends(server: ChatServer, backend: OpenAI) -> None:
    completion, _ = await receive(server, backend, [chunk("It is 4.", finish="stop").rstrip(b"\n")])
    assert one(completion).text == "It is 4."


async def test_a_stream_that_stops_without_an_end_is_broken(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.stream([chunk("It is ")]))
    with pytest.raises(BrokenReply, match="closed the stream before its end"):
        await backend.generate(ASK, Progress())


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_a_stream_under_another_content_type(server: ChatServer, backend: OpenAI, kind: str) -> None:
    server.faults.append(faults.stream([chunk("It is "), chunk("4.", finish="stop"), DONE], content_type=kind))
    assert one(await backend.generate(ASK, Progress())).text == "It is 4."


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n \n"], ids=["plain", "byte-order mark", "white space"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_in_one_piece_that_is_labelled_a_stream(
    server: ChatServer, backend: OpenAI, start: bytes, stream: bool
) -> None:
    whole = {"choices": [{"index": 0, "message": {"content": "It is 4."}, "finish_reason": "stop"}]}
    server.faults.append(faults.stream([start, json.dumps(whole, indent=1).encode()]))
    assert one(await backend.generate(replace(ASK, stream=stream), Progress())).text == "It is 4."


@pytest.mark.parametrize("then", ["cut", "hang"])
async def test_what_comes_after_the_last_choice_may_be_nothing(server: ChatServer, then: str) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9}}
    server.faults.append(faults.stream([chunk("It is 4.", finish="stop"), event(usage), b"data: {"], then))
    async with aclosing(OpenAI(server.url, "test-model", timeout=0.3)) as backend:
        completion = await backend.generate(ASK, Progress())
    assert (one(completion).text, completion.usage.output) == ("It is 4.", 9)


async def test_keep_alives_after_the_last_choice_do_not_hold_it(
    server: ChatServer, backend: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "SECONDS", 0.2)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    alive = itertools.repeat(b": still here\n\n")
    server.faults.append(faults.raw(head, chunk("It is 4.", finish="stop"), then=alive, pause=0.01))
    assert one(await backend.generate(ASK, Progress())).text == "It is 4."


ERRORS = [
    {"error": {"message": "out of memory", "code": 500}},
    {"error": "out of memory"},
    {"object": "error", "message": "out of memory", "code": 500},
    {"type": "error", "message": "out of memory"},
    {"choices": [{"index": 0, "delta": {}, "error": {"message": "out of memory", "code": 502}}]},
]


@pytest.mark.parametrize("error", ERRORS, ids=[" ".join(each) + str(n) for n, each in enumerate(ERRORS)])
async def test_an_error_in_mid_stream_is_the_servers_own_words(
    server: ChatServer, backend: OpenAI, error: dict[str, Any]
) -> None:
    server.faults.append(faults.stream([chunk("It is "), event(error), DONE]))
    with pytest.raises(BackendError, match="out of memory"):
        await backend.generate(ASK, Progress())


async def test_whole_replies_and_streams_where_the_other_was_asked_for(server: ChatServer, backend: OpenAI) -> None:
    message = {"role": "assistant", "content": "It is 4."}
    server.faults.append(
        faults.body(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode())
    )
    assert one(await backend.generate(ASK, Progress())).text == "It is 4."
    server.faults.append(faults.stream([chunk("It is 4.", finish="stop"), DONE]))
    assert one(await backend.generate(replace(ASK, stream=False), Progress())).text == "It is 4."


async def test_a_refusal_is_what_the_model_says(server: ChatServer, backend: OpenAI) -> None:
    completion, _ = await receive(server, backend, [chunk("", refusal="I will not."), chunk("", finish="stop"), DONE])
    assert one(completion).text == "I will not."


async def test_a_choice_without_a_number_is_the_first(server: ChatServer, backend: OpenAI) -> None:
    choice = {"index": None, "delta": {"content": [{"type": "refusal", "refusal": "No."}]}, "finish_reason": "stop"}
    completion, _ = await receive(server, backend, [event({"choices": [choice]}), DONE])
    assert one(completion).text == "No."


def test_every_word_has_one_meaning() -> None:
    for end, words in WORDS.items():
        assert {end_of(word) for word in words} == {end}
