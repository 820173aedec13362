"""How much to reason, as each kind of server is told."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

import ponder
from ponder.backends.openai import OpenAI
from ponder.backends.openai.reasoning import FIELDS, LIMITING, SPELLINGS
from ponder.backends.openai.servers import SERVERS
from ponder.core.backend import Capability, Progress, Request
from ponder.core.errors import InvalidOption, MissingCapability
from ponder.core.settings import Settings, read_thinking
from tests.servers.strict import strict

pytestmark = pytest.mark.anyio

ASK = Request(messages=({"role": "user", "content": "What is 1+1?"},), max_tokens=30_000)

OFF = {"enable_thinking": False}

TOLD: dict[str, tuple[Any, Any, Any]] = {  # for "none", "high", and 2,000 tokens
    "unknown": ({"reasoning_effort": "none"}, {"reasoning_effort": "high"}, None),
    "openai": ({"reasoning_effort": "none"}, {"reasoning_effort": "high"}, None),
    "mistral": ({"reasoning_effort": "none"}, {"reasoning_effort": "high"}, None),
    "ollama": ({"reasoning_effort": "none"}, {"reasoning_effort": "high"}, None),
    "openrouter": (
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"effort": "high"}},
        {"reasoning": {"max_tokens": 2000}},
    ),
    "anthropic": (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 15_000}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "gemini": (
        {"reasoning_effort": "none"},
        {"reasoning_effort": "high"},
        {"extra_body": {"google": {"thinking_config": {"thinking_budget": 2000}}}},
    ),
    "deepseek": (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        None,
    ),
    "qwen": (
        OFF,
        {"enable_thinking": True, "thinking_budget": 24_576},
        {"enable_thinking": True, "thinking_budget": 2000},
    ),
    "vllm": (
        {"chat_template_kwargs": OFF},
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "high"}},
        {"chat_template_kwargs": {"enable_thinking": True}, "thinking_token_budget": 2000},
    ),
    "sglang": (
        {"chat_template_kwargs": OFF},
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "high"}},
        {
            "chat_template_kwargs": {"enable_thinking": True, "thinking_budget": 2000},
            "custom_params": {"thinking_budget": 2000},
        },
    ),
    "llamacpp": (
        {"chat_template_kwargs": OFF},
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "high"}},
        {"chat_template_kwargs": {"enable_thinking": True}, "thinking_budget_tokens": 2000},
    ),
}


def test_every_kind_has_its_words() -> None:
    assert set(TOLD) == set(SPELLINGS) == set(SERVERS)
    assert {kind for kind, (_, _, limit) in TOLD.items() if limit is not None} == LIMITING


@pytest.mark.parametrize("kind", TOLD)
async def test_what_a_server_is_told(kind: str) -> None:
    with strict() as server:
        for thinking, told in zip(("none", "high", 2000), TOLD[kind], strict=True):
            more = ["+thinking-budget"] if told is not None and thinking == 2000 else None
            async with aclosing(OpenAI(server.url, "m", server=kind, capabilities=more)) as backend:
                request = replace(ASK, thinking=thinking)
                if told is None:
                    with pytest.raises(MissingCapability, match="thinking-budget"):
                        await backend.generate(request, Progress())
                    continue
                await backend.generate(request, Progress())
            assert {name: value for name, value in server.bodies[-1].items() if name in FIELDS} == told


async def test_anthropic_needs_room_for_an_answer() -> None:
    async with aclosing(OpenAI("http://gpu/v1", "m", server="anthropic")) as backend:
        with pytest.raises(InvalidOption, match="raise max_tokens"):
            await backend.generate(replace(ASK, thinking="low", max_tokens=1024), Progress())


def test_a_level_that_is_refused_is_said_and_a_limit_is_a_missing_capability() -> None:
    with strict("reasoning_effort", "reasoning") as server:
        spec = f"m@{server.url}?kind=openrouter"
        for _ in range(2):
            answer = ponder.solve("What is 1+1?", strategy="single", model=spec, thinking="low")
            assert any("reasoning is left out" in note for note in answer.notes)
    with strict("reasoning") as server:
        for _ in range(2):
            with pytest.raises(MissingCapability, match=r"thinking|reasoning"):
                ponder.solve("?", strategy="single", model=f"m@{server.url}?kind=openrouter", thinking=500)
        assert len(server.bodies) == 1


@pytest.mark.parametrize("thinking", ["hgih", "", "-5", -1, True, 1.5, 10**9])
def test_what_is_neither_level_nor_limit(thinking: Any) -> None:
    with pytest.raises(InvalidOption, match="none of none, minimal, low, medium, high, xhigh"):
        Settings(thinking=thinking)


def test_as_it_is_written_in_a_shell() -> None:
    assert (read_thinking("low"), read_thinking("2000")) == ("low", 2000)
    with pytest.raises(InvalidOption):
        read_thinking("lots")


def test_vendors_are_known_by_their_hosts() -> None:
    hosts = {
        "https://api.openai.com/v1": "openai", "https://me.openai.azure.com/openai/v1": "openai",
        "https://openrouter.ai/api/v1": "openrouter", "https://api.anthropic.com/v1": "anthropic",
        "https://generativelanguage.googleapis.com/v1beta/openai": "gemini", "https://api.deepseek.com": "deepseek",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1": "qwen", "https://api.mistral.ai/v1": "mistral",
        "https://openrouter.ai.evil.example/v1": "unknown",
    }  # fmt: skip
    for url, kind in hosts.items():
        assert f"server={kind!r}" in repr(ponder.connect(f"m@{url}"))
    assert (
        Capability.SEED not in ponder.connect("m@https://generativelanguage.googleapis.com/v1beta/openai").capabilities
    )
