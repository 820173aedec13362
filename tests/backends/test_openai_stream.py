"""Streams come in every shape: the text is the same."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.backends.openai import OpenAI
from ponder.backends.openai.events import Events
from ponder.core.backend import Progress, Request
from ponder.core.completion import Choice, Completion
from tests.servers import faults
from tests.servers.chat import ChatServer
from tests.servers.faults import chunk, event

DONE = b"data: [DONE]\n\n"
ASK = Request(messages=({"role": "user", "content": "Tell me about Zoë."},), stream=True)


async def receive(
    server: ChatServer, backend: OpenAI, pieces: list[bytes], request: Request = ASK
) -> tuple[Completion, Progress]:
    """What becomes of a stream that arrives in these pieces."""
    server.faults.append(faults.stream(pieces))
    progress = Progress()
    completion = await backend.generate(request, progress)
    assert progress.texts == [choice.text for choice in completion.choices]
    assert progress.tokens == [choice.tokens for choice in completion.choices]
    return completion, progress


def one(completion: Completion) -> Choice:
    (choice,) = completion.choices
    return choice


@pytest.mark.anyio
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_line_ends_comments_and_chunks(server: ChatServer, backend: OpenAI, end: bytes, size: int) -> None:
    lines = (
        b": keep-alive\nevent: message\nid: 7\n"
        + chunk("Zoë ")
        + b"\n: still here\n\n"
        + chunk("is 数学🎉", finish="stop")
    )
    data = (lines + DONE).replace(b"\n", end)
    completion, _ = await receive(server, backend, [data[at : at + size] for at in range(0, len(data), size)])
    assert one(completion).text == "Zoë is 数学🎉"
    assert one(completion).tokens == 5  # 18 bytes in two pieces, as nobody counted


@given(st.lists(st.integers(0, 200)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_are_the_same_for_any_chunking(cuts: list[int], end: bytes) -> None:
    data = (b'data: {"a":\ndata: "\xf0\x9f\x8e\x89"}\n\n: comment\n\ndata:x\n\n\n' + DONE).replace(b"\n", end)
    at = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    events = Events()
    found = [payload for a, b in itertools.pairwise(at) for payload in events.feed(data[a:b])]
    assert found == ['{"a":\n"🎉"}'.encode(), b"x", b"[DONE]"]


@pytest.mark.anyio
async def test_the_servers_count_wins_over_the_number_of_pieces(server: ChatServer, backend: OpenAI) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4}}
    pieces = [chunk("Once upon"), chunk(" a time", finish="stop"), event({"choices": [], "usage": usage}), DONE]
    completion, progress = await receive(server, backend, pieces)
    assert one(completion).tokens == completion.usage.output == 12
    assert (progress.prompt_tokens, progress.cached_tokens) == (9, 4)


@pytest.mark.anyio
async def test_a_count_with_every_chunk_is_for_that_choice(server: ChatServer, backend: OpenAI) -> None:
    def counted(index: int, content: str, tokens: int, finish: str | None = None) -> bytes:
        data = json.loads(chunk(content, finish=finish, index=index)[6:])
        return event({**data, "usage": {"prompt_tokens": 9, "completion_tokens": tokens}})

    pieces = [counted(0, "Once", 2), counted(1, "Twice", 3), counted(0, " upon", 5, "stop"), counted(1, "!", 4, "stop")]
    total = event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})
    completion, _ = await receive(server, backend, [*pieces, total, DONE], replace(ASK, n=2))
    assert [choice.tokens for choice in completion.choices] == [5, 4]


@pytest.mark.anyio
async def test_llamacpp_tells_the_rest_when_it_is_verbose(server: ChatServer, backend: OpenAI) -> None:
    def finished(index: int, tokens: int, word: str) -> bytes:
        verbose = {"tokens_predicted": tokens, "stop_type": "word" if word else "eos", "stopping_word": word}
        usage = {"prompt_tokens": 9, "completion_tokens": tokens}
        return event(
            {"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}], "__verbose": verbose}
        ) + event({"choices": [], "usage": usage})

    pieces = [chunk("One"), chunk("Two", index=1), finished(1, 3, ""), finished(0, 7, "\n"), DONE]
    completion, _ = await receive(server, backend, pieces, replace(ASK, n=2, stop=("\n",)))
    assert [choice.tokens for choice in completion.choices] == [7, 3]
    assert [choice.finish for choice in completion.choices] == ["boundary", "stop"]
    assert (completion.usage.prompt, completion.usage.output) == (9, 10)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_in_a_field_of_its_own(server: ChatServer, backend: OpenAI, name: str) -> None:
    fields: dict[str, Any] = {name: "2+2 is 4"}
    pieces = [chunk("", **fields), chunk("It is 4.", finish="stop"), DONE]
    completion, _ = await receive(server, backend, pieces)
    choice = one(completion)
    assert (choice.thinking, choice.text) == ("2+2 is 4", "It is 4.")
    assert (choice.thinking_tokens, choice.tokens) == (2, 4)


@pytest.mark.anyio
async def test_reasoning_in_tags_split_over_pieces(server: ChatServer, backend: OpenAI) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 15}}
    texts = ["<th", "ink>2+2", " is 4</", "think>", "\n\nIt", " is 4."]
    pieces = [chunk(text) for text in texts] + [event({"choices": [], "usage": usage}), chunk("", finish="stop"), DONE]
    completion, _ = await receive(server, backend, pieces)
    choice = one(completion)
    assert (choice.thinking, choice.text) == ("2+2 is 4", "It is 4.")
    assert (choice.thinking_tokens, choice.tokens) == (15, 20)


@pytest.mark.anyio
async def test_reasoning_that_the_template_opened_is_taken_back(server: ChatServer, backend: OpenAI) -> None:
    pieces = [chunk("2+2 is 4, so"), chunk("</think>"), chunk("It is 4.", finish="stop"), DONE]
    completion, progress = await receive(server, backend, pieces)
    assert progress.texts == ["It is 4."]
    assert one(completion).thinking == "2+2 is 4, so"


@pytest.mark.anyio
async def test_what_carries_no_choice_is_passed_over(server: ChatServer, backend: OpenAI) -> None:
    odd = [b"data:\n\n", b"event: ping\n\n", event({"type": "ping"}), event({"choices": []}), event({"choices": None})]
    completion, _ = await receive(server, backend, [*odd, chunk("It is 4.", finish="stop"), DONE])
    assert one(completion).text == "It is 4."


@pytest.mark.anyio
async def test_a_connection_that_breaks_after_the_end_mark_harms_nothing(server: ChatServer, backend: OpenAI) -> None:
    for then in ("cut", "hang"):
        server.faults.append(faults.stream([chunk("It is 4.", finish="stop"), DONE], then))
        assert one(await backend.generate(ASK, Progress())).text == "It is 4."


@pytest.mark.anyio
async def test_an_emoji_cut_in_half_is_mended(server: ChatServer, backend: OpenAI) -> None:
    halves = [
        b'data: {"choices": [{"delta": {"content": "\\ud83c"}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "\\udf89!"}}]}\n\n',
    ]
    completion, _ = await receive(server, backend, [*halves, chunk("", finish="stop"), DONE])
    assert one(completion).text == "🎉!"
    completion, _ = await receive(server, backend, [halves[0], chunk("", finish="stop"), DONE])
    assert one(completion).text == "\ufffd"


@pytest.mark.anyio
async def test_a_server_that_never_streams_is_read_as_well(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.body(b'{"choices": [{"message": {"content": "It is 4."}}], "usage": null}'))
    completion = await backend.generate(ASK, Progress())
    assert (one(completion).text, one(completion).tokens) == ("It is 4.", 2)  # 8 bytes, as nobody counted
    assert completion.usage.prompt == 5  # 19 bytes


@pytest.mark.anyio
async def test_a_call_of_a_custom_tool(server: ChatServer, backend: OpenAI) -> None:
    first = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    rest = {"index": 0, "custom": {"input": " -l"}}
    pieces = [chunk("", tool_calls=[first]), chunk("", tool_calls=[rest]), chunk("", finish="tool_calls"), DONE]
    completion, _ = await receive(server, backend, pieces)
    [call] = one(completion).tool_calls
    assert call == {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}


@pytest.mark.anyio
@pytest.mark.parametrize("said", [{"content": [{"type": "text", "text": "No."}]}, {"content": None, "refusal": "No."}])
async def test_content_in_parts_and_a_refusal_are_text(
    server: ChatServer, backend: OpenAI, said: dict[str, Any]
) -> None:
    completion, _ = await receive(
        server, backend, [event({"choices": [{"delta": said}]}), chunk("", finish="stop"), DONE]
    )
    assert one(completion).text == "No."
