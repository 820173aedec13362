"""Servers are told apart by what they say of themselves; of an unknown one nothing is assumed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from ponder.backends.openai import OpenAI
from ponder.backends.openai.detect import detect
from ponder.core.backend import Capability, Progress, Request
from ponder.core.completion import Completion
from ponder.core.errors import Rejected, Unreachable
from tests.servers import faults
from tests.servers.chat import ChatServer

pytestmark = pytest.mark.anyio

VLLM = {"data": [{"id": "m", "owned_by": "vllm"}]}
SGLANG = {"data": [{"id": "m", "owned_by": "sglang", "root": "m"}]}
LLAMACPP = {"models": [{"name": "m"}], "data": [{"id": "m", "owned_by": "llamacpp"}]}
OLLAMA = {"data": [{"id": "m:latest", "owned_by": "library"}]}
GATEWAY = {"data": [{"id": "m", "owned_by": "me"}]}


@pytest.mark.parametrize(
    ("models", "pages", "kind", "most"),
    [
        (VLLM, {}, "vllm", None),
        (SGLANG, {}, "sglang", None),
        (LLAMACPP, {"/props": {"total_slots": 4}}, "llamacpp", 4),
        (LLAMACPP, {}, "llamacpp", None),
        (OLLAMA, {"/api/version": {"version": "0.12.0"}}, "ollama", None),
        (GATEWAY, {"/api/version": {"version": "1", "edition": "x"}}, "unknown", None),
        (GATEWAY, {}, "unknown", None),
        (None, {}, "unknown", None),
        ({"data": "none"}, {}, "unknown", None),
        ([], {}, "unknown", None),
    ],
)
async def test_what_servers_say(models: Any, pages: dict[str, Any], kind: str, most: int | None) -> None:
    async def look(path: str) -> object:
        return pages.get(path)

    server, limit = await detect(models, look)
    assert (server.name, limit) == (kind, most)


async def test_detection_declares_what_the_server_can_do(server: ChatServer) -> None:
    async with aclosing(OpenAI(server.url, "test-model")) as backend:
        assert backend.capabilities == {Capability.SAMPLE, Capability.CANCEL, Capability.THINKING, Capability.IMAGES}
        assert await backend.detect() == "vllm"
        assert backend.capabilities == set(Capability)
        assert await backend.models() == ["test-model"]


async def test_what_the_user_declares_stands(server: ChatServer) -> None:
    async with aclosing(OpenAI(server.url, "test-model", capabilities=[Capability.SAMPLE])) as backend:
        await backend.detect()
        assert backend.capabilities == {Capability.SAMPLE}


async def test_a_server_without_a_list_of_models_is_unknown(server: ChatServer) -> None:
    server.faults.append(faults.status(404))
    async with aclosing(OpenAI(server.url + "/elsewhere", "test-model")) as backend:
        assert await backend.detect() == "unknown"


async def test_a_server_that_is_down_or_refuses_the_key_says_so_at_once(server: ChatServer) -> None:
    async with aclosing(OpenAI("http://127.0.0.1:9/v1", "m")) as backend:
        with pytest.raises(Unreachable):
            await backend.detect()
    server.models_fault = faults.status(401)
    async with aclosing(OpenAI(server.url, "m")) as backend:
        with pytest.raises(Rejected, match="answered 401"):
            await backend.detect()


async def test_runs_that_begin_together_do_not_disturb_each_other(server: ChatServer) -> None:
    request = Request(messages=({"role": "user", "content": "What is 1+1?"},))
    async with aclosing(OpenAI(server.url, "test-model")) as backend:

        async def one() -> Completion:
            await backend.prepare()
            return await backend.generate(request, Progress())

        assert len(await asyncio.gather(*(one() for _ in range(16)))) == 16
