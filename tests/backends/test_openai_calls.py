"""What goes over the wire and what comes back."""

from __future__ import annotations

import gc
import warnings
from contextlib import aclosing
from dataclasses import replace

import anyio
import pytest

import ponder
from ponder.backends.http1 import pool
from ponder.backends.openai import OpenAI
from ponder.core.backend import Capability, Message, Progress, Request
from ponder.core.errors import InvalidOption, MissingCapability
from ponder.core.problem import Problem
from tests.servers.chat import ChatServer
from tests.servers.faults import body

pytestmark = pytest.mark.anyio

ASK = Request(messages=({"role": "user", "content": "What is 1+1?"},), max_tokens=100, seed=3)


async def test_a_question_gets_a_text_with_its_count(backend: OpenAI, server: ChatServer) -> None:
    completion = await backend.generate(ASK, Progress())
    (choice,) = completion.choices
    assert choice.text.startswith("Answer: ", choice.text.rfind("\n") + 1)
    assert choice.finish == "stop"
    assert choice.tokens == len(choice.text.split()) == completion.usage.output
    assert (completion.usage.prompt, completion.usage.cached) == (3, 1)
    assert server.bodies == [
        {
            "model": "test-model",
            "messages": [{"role": "user", "content": "What is 1+1?"}],
            "max_tokens": 100,
            "temperature": 0.7,
            "seed": 3,
        }
    ]


async def test_messages_go_out_as_they_are(backend: OpenAI, server: ChatServer) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 1}'}}
    messages: list[Message] = [
        {"role": "developer", "content": "Use the tool.", "name": "house"},
        {"role": "user", "content": [{"type": "text", "text": "What is the sum?"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call], "x_vendor": {"kept": [1, None]}},
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
    ]
    problem = Problem.of(messages)
    await backend.generate(Request(messages=problem.messages), Progress())
    await backend.generate(Request(messages=problem.messages, prefix="So"), Progress())
    assert server.bodies[0]["messages"] == messages
    assert server.bodies[1]["messages"] == [*messages, {"role": "assistant", "content": "So"}]


async def test_an_image_beside_text_reaches_every_sample_through_solve(server: ChatServer) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is the sum?"}, picture]}]
    spec = f"test-model@{server.url}"
    await ponder.asolve(messages, model=spec, strategy="self-consistency(n=2)")
    assert [body["messages"] for body in server.bodies] == [messages]
    with pytest.raises(MissingCapability, match="reads no images"):
        await ponder.asolve(messages, model=f"{spec}?caps=-images", strategy="single")
    assert len(server.bodies) == 1


async def test_several_choices_are_counted_one_by_one(backend: OpenAI) -> None:
    completion = await backend.generate(replace(ASK, n=4), Progress())
    assert [choice.tokens for choice in completion.choices] == [len(c.text.split()) for c in completion.choices]
    assert len({choice.text for choice in completion.choices}) == 4


async def test_the_prefix_is_continued(backend: OpenAI, server: ChatServer) -> None:
    (whole,) = (await backend.generate(ASK, Progress())).choices
    (rest,) = (await backend.generate(replace(ASK, prefix=whole.text[:20]), Progress())).choices
    assert whole.text == whole.text[:20] + rest.text
    assert server.bodies[1]["messages"][-1] == {"role": "assistant", "content": whole.text[:20]}
    assert server.bodies[1]["continue_final_message"] is True
    assert server.bodies[1]["add_generation_prompt"] is False


@pytest.mark.parametrize("stream", [False, True])
async def test_how_it_ended(backend: OpenAI, stream: bool) -> None:
    async def finish(request: Request) -> str:
        return (await backend.generate(replace(request, stream=stream), Progress())).choices[0].finish

    assert await finish(ASK) == "stop"
    assert await finish(replace(ASK, max_tokens=5)) == "length"
    assert await finish(replace(ASK, stop=("\n",))) == "boundary"


async def test_a_stop_that_the_server_does_not_name_is_a_stop(backend: OpenAI, server: ChatServer) -> None:
    server.faults.append(body(b'{"choices": [{"message": {"content": "Step 1"}, "finish_reason": "stop"}]}'))
    (choice,) = (await backend.generate(replace(ASK, stop=("\n",)), Progress())).choices
    assert choice.finish == "stop"


@pytest.mark.parametrize("name", ["matched_stop", "stop_reason"])
async def test_sglang_and_vllm_name_the_stop_string(backend: OpenAI, server: ChatServer, name: str) -> None:
    server.faults.append(body(b'{"choices": [{"message": {"content": "Step 1"}, "%s": "\\n"}]}' % name.encode()))
    (choice,) = (await backend.generate(replace(ASK, stop=("\n",)), Progress())).choices
    assert choice.finish == "boundary"


@pytest.mark.parametrize("stream", [False, True])
async def test_log_probabilities(backend: OpenAI, server: ChatServer, stream: bool) -> None:
    (choice,) = (await backend.generate(replace(ASK, logprobs=2, stream=stream), Progress())).choices
    assert choice.logprob == pytest.approx(-0.5)
    assert choice.first == {choice.text.split()[0]: -0.5}
    assert (server.bodies[0]["logprobs"], server.bodies[0]["top_logprobs"]) == (True, 2)


async def test_a_schema_goes_along(backend: OpenAI, server: ChatServer) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    (choice,) = (await backend.generate(replace(ASK, schema=schema), Progress())).choices
    assert choice.text == '{"ok": true}'
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == schema


async def test_streaming_keeps_progress_current(backend: OpenAI, server: ChatServer) -> None:
    seen: list[str] = []
    progress = Progress()
    progress.watch = lambda index: seen.append(progress.texts[index])
    completion = await backend.generate(replace(ASK, n=2, stream=True), progress)
    assert progress.texts == [choice.text for choice in completion.choices]
    assert progress.tokens == [choice.tokens for choice in completion.choices]
    assert (progress.prompt_tokens, progress.cached_tokens) == (3, 1)
    assert seen[0] == progress.texts[0].split()[0]
    assert 0 <= len(seen) - sum(progress.tokens) <= 2  # for each piece, and for each choice when it is counted
    assert server.bodies[0]["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


async def test_cancelling_closes_the_connection_and_books_what_came(server: ChatServer, backend: OpenAI) -> None:
    server.token_latency = 0.01
    with anyio.CancelScope() as scope:
        progress = Progress(watch=lambda _: scope.cancel() if len(progress.texts[0].split()) == 3 else None)
        await backend.generate(replace(ASK, stream=True), progress)
    await anyio.to_thread.run_sync(server.wait_for, "cancelled")
    assert len(progress.texts[0].split()) == 3
    assert sum(progress.tokens) == max(3, -(-len(progress.texts[0]) // 4))
    assert progress.estimated == sum(progress.tokens) + progress.prompt_tokens
    assert progress.prompt_tokens > 0


async def test_a_call_that_is_no_stream_can_be_cancelled_too(server: ChatServer, backend: OpenAI) -> None:
    server.latency = 60
    async with anyio.create_task_group() as group:
        group.start_soon(backend.generate, ASK, Progress())
        await anyio.to_thread.run_sync(server.wait_for, "received")
        group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(server.wait_for, "cancelled")


async def test_connections_are_used_again(server: ChatServer, backend: OpenAI) -> None:
    for stream in (False, True, True, False):
        await backend.generate(replace(ASK, stream=stream), Progress())
    assert len(set(server.peers)) == 1


async def test_a_connection_that_rested_is_not_used_again(
    server: ChatServer, backend: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "REST_SECONDS", 0.2)
    await backend.generate(ASK, Progress())
    await anyio.sleep(0.3)
    await backend.generate(ASK, Progress())
    assert len(set(server.peers)) == 2


async def test_what_is_not_declared_is_refused_before_anything_is_sent(server: ChatServer) -> None:
    backend = OpenAI(server.url, "test-model")
    assert backend.capabilities == {Capability.SAMPLE, Capability.CANCEL, Capability.THINKING, Capability.IMAGES}
    with pytest.raises(MissingCapability, match="cannot do what this call needs: 'continue', 'n'"):
        await backend.generate(replace(ASK, n=2, prefix="So"), Progress())
    assert server.bodies == []


async def test_a_seed_is_only_sent_to_a_server_that_heeds_it(server: ChatServer) -> None:
    async with aclosing(OpenAI(server.url, "test-model")) as backend:
        await backend.generate(ASK, Progress())
    assert "seed" not in server.bodies[0]


async def test_the_user_may_know_better_what_the_server_can_do(server: ChatServer) -> None:
    async with aclosing(OpenAI(server.url, "test-model", capabilities=Capability, server="vllm")) as backend:
        await backend.generate(replace(ASK, thinking=50, n=2), Progress())
    assert server.bodies[0]["thinking_token_budget"] == 50


async def test_a_thinking_budget_needs_a_server_that_has_one(server: ChatServer) -> None:
    with pytest.raises(InvalidOption, match=r"'unknown' has no field for a thinking budget.*server=, one of unknown, "):
        OpenAI(server.url, "test-model", capabilities=Capability)


async def test_a_closed_backend_opens_again(server: ChatServer, backend: OpenAI) -> None:
    await backend.generate(ASK, Progress())
    await backend.aclose()
    await backend.aclose()
    assert (await backend.generate(ASK, Progress())).choices


def test_a_backend_may_serve_one_event_loop_after_the_other(server: ChatServer) -> None:
    backend = OpenAI(server.url, "test-model", server="vllm")

    async def ask(close: bool) -> str:
        completion = await backend.generate(ASK, Progress())
        if close:
            await backend.aclose()
        return completion.choices[0].text

    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        assert anyio.run(ask, False) == anyio.run(ask, True)
        gc.collect()  # the first loop ended with an open connection
