"""Text completions: for models without a chat template, and servers without chat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from ponder.backends import connect
from ponder.backends.openai import OpenAI
from ponder.core.backend import Capability, Progress, Request
from ponder.core.completion import Choice, Completion
from ponder.core.errors import BrokenReply, InvalidProblem, MissingCapability, Rejected, UnknownName
from tests.servers import faults
from tests.servers.chat import ChatServer
from tests.servers.faults import event, text_chunk

pytestmark = pytest.mark.anyio

MESSAGES = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 1+1?"})
ASK = Request(messages=MESSAGES, max_tokens=100, seed=3)
DONE = b"data: [DONE]\n\n"


@pytest.fixture
async def text(server: ChatServer) -> AsyncIterator[OpenAI]:
    """A backend that asks the server for text completions."""
    async with aclosing(OpenAI(server.url, "test-model", wire="text", server="vllm", timeout=20)) as backend:
        yield backend


async def one(backend: OpenAI, request: Request) -> Choice:
    (choice,) = (await backend.generate(request, Progress())).choices
    return choice


async def test_the_prompt_is_the_texts_with_blank_lines_between(text: OpenAI, server: ChatServer) -> None:
    completion = await text.generate(ASK, Progress())
    (choice,) = completion.choices
    assert choice.text.startswith("Answer: ", choice.text.rfind("\n") + 1)
    assert choice.tokens == len(choice.text.split()) == completion.usage.output
    assert (completion.usage.prompt, completion.usage.cached) == (5, 1)
    assert server.bodies == [
        {
            "model": "test-model",
            "prompt": "Be brief.\n\nWhat is 1+1?\n\n",
            "max_tokens": 100,
            "temperature": 0.7,
            "seed": 3,
        }
    ]


async def test_the_prefix_ends_the_prompt(text: OpenAI, server: ChatServer) -> None:
    whole = await one(text, ASK)
    rest = await one(text, replace(ASK, prefix=whole.text[:20]))
    assert whole.text == whole.text[:20] + rest.text
    assert server.bodies[1]["prompt"] == server.bodies[0]["prompt"] + whole.text[:20]


async def test_text_parts_are_text_and_empty_texts_are_left_out(text: OpenAI, server: ChatServer) -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "1+1?"}]
    messages = ({"role": "system", "content": ""}, {"role": "user", "content": parts})
    await text.generate(replace(ASK, messages=messages), Progress())
    assert server.bodies[0]["prompt"] == "What is\n1+1?\n\n"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
        {"role": "assistant", "content": "Let me add.", "tool_calls": [{"id": "c1"}]},
    ],
)
async def test_more_than_text_is_refused_before_anything_is_sent(
    text: OpenAI, server: ChatServer, message: dict[str, Any]
) -> None:
    with pytest.raises(InvalidProblem, match=r"^message 2 holds more than text .* use the chat API"):
        await text.generate(replace(ASK, messages=(*MESSAGES, message)), Progress())
    assert server.bodies == []


async def test_an_image_is_refused_before_anything_is_sent(text: OpenAI, server: ChatServer) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(MissingCapability, match="'images'"):
        await text.generate(replace(ASK, messages=({"role": "user", "content": [picture]},)), Progress())
    assert server.bodies == []


@pytest.mark.parametrize("stream", [False, True])
async def test_how_it_ended(text: OpenAI, stream: bool) -> None:
    ask = replace(ASK, stream=stream)
    assert (await one(text, ask)).finish == "stop"
    assert (await one(text, replace(ask, max_tokens=5))).finish == "length"
    assert (await one(text, replace(ask, stop=("\n",)))).finish == "boundary"


@pytest.mark.parametrize("stream", [False, True])
async def test_log_probabilities(text: OpenAI, server: ChatServer, stream: bool) -> None:
    choice = await one(text, replace(ASK, logprobs=2, stream=stream))
    assert choice.logprob == pytest.approx(-0.5)
    assert choice.first == {choice.text.split()[0]: -0.5}
    assert server.bodies[0]["logprobs"] == 2


LISTS = {"tokens": ["A", "b"], "token_logprobs": [-1.0, -2.0], "top_logprobs": [{"B": -2.5, "A": -1.0}, {"b": -2.0}]}
OBJECTS = {
    "content": [
        {
            "token": "A",
            "logprob": -1.0,
            "top_logprobs": [{"token": "A", "logprob": -1.0}, {"token": "B", "logprob": -2.5}],
        },
        {"token": "b", "logprob": -2.0, "top_logprobs": [{"token": "b", "logprob": -2.0}]},
    ]
}


@pytest.mark.parametrize("logprobs", [LISTS, OBJECTS], ids=["lists", "llama.cpp"])
async def test_both_forms_of_log_probabilities(server: ChatServer, text: OpenAI, logprobs: dict[str, Any]) -> None:
    server.faults.append(faults.stream([text_chunk("Ab", finish="stop", logprobs=logprobs), DONE]))
    choice = await one(text, replace(ASK, logprobs=2, stream=True))
    assert choice.logprob == -1.5
    assert list(choice.first.items()) == [("A", -1.0), ("B", -2.5)]


async def test_several_choices_stream_side_by_side(text: OpenAI) -> None:
    progress = Progress()
    completion = await text.generate(replace(ASK, n=3, stream=True), progress)
    assert progress.texts == [choice.text for choice in completion.choices]
    assert progress.tokens == [len(choice.text.split()) for choice in completion.choices]
    assert len(set(progress.texts)) == 3


async def test_reasoning_is_kept_apart_here_too(server: ChatServer, text: OpenAI) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 4}
    pieces = [text_chunk("<think>1 and 1</th"), text_chunk("ink>\n2", finish="stop"), event({"usage": usage}), DONE]
    server.faults.append(faults.stream(pieces))
    choice = await one(text, replace(ASK, stream=True))
    assert (choice.thinking, choice.text, choice.tokens) == ("1 and 1", "2", 4)


async def test_failures_are_the_same(server: ChatServer, text: OpenAI) -> None:
    server.faults.append(faults.status(401, '{"error": {"message": "Invalid key"}}'))
    with pytest.raises(Rejected, match="answered 401"):
        await text.generate(ASK, Progress())
    server.faults.append(faults.stream([text_chunk("Once"), text_chunk(" upon")], "cut"))
    progress = Progress()
    with pytest.raises(BrokenReply, match="in the middle of its reply"):
        await text.generate(replace(ASK, stream=True), progress)
    assert (progress.texts, progress.tokens) == (["Once upon"], [3])
    assert progress.prompt_tokens > 0
    server.faults.append(faults.body(b'{"choices": [{"finish_reason": "stop"}]}'))
    with pytest.raises(BrokenReply, match="a choice has neither 'message' nor 'text'"):
        await text.generate(ASK, Progress())


async def continues(server: ChatServer, kind: str) -> Completion:
    async with aclosing(OpenAI(server.url, "test-model", wire="text", server=kind)) as backend:
        return await backend.generate(replace(ASK, prefix="So"), Progress())


async def test_every_server_that_takes_the_prompt_as_it_is_continues(server: ChatServer) -> None:
    for kind in ("unknown", "openai", "vllm", "sglang"):
        assert (await continues(server, kind)).choices
    with pytest.raises(MissingCapability, match="'continue'"):
        await continues(server, "ollama")


async def test_a_spec_says_it(server: ChatServer) -> None:
    backend = connect(f"text/test-model@{server.url}")
    assert isinstance(backend, OpenAI)
    async with aclosing(backend):
        await backend.prepare()
        assert Capability.LOGPROBS in backend.capabilities
        await backend.generate(ASK, Progress())
    assert "prompt" in server.bodies[0]


def test_there_are_two_wires() -> None:
    with pytest.raises(UnknownName, match="wire"):
        OpenAI("http://gpu:8000", "m", wire="txt")  # type: ignore[arg-type]
