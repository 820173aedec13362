"""The servers that speak the completions API, and what each adds to it.

`SERVERS` is how they do chat completions, `TEXT_SERVERS` how they do text completions. What is declared here is what
the server's own documentation offers. Whether the model behind it takes a parameter shows when it is asked
(`learned`); a user who knows more about a server declares it, in the spec or with ``OpenAI(..., capabilities=...)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ponder.core.backend import Capability
from ponder.core.errors import InvalidOption
from ponder.core.settings import LimitName

__all__ = [
    "LLAMACPP",
    "OLLAMA",
    "OPENAI",
    "SERVERS",
    "SGLANG",
    "TEXT_SERVERS",
    "UNKNOWN",
    "VLLM",
    "Server",
    "at_host",
    "named",
]

_BASE = frozenset({Capability.SAMPLE, Capability.CANCEL})
_CHAT = _BASE | {Capability.THINKING, Capability.IMAGES}
_LOCAL = _BASE | {Capability.CONTINUE, Capability.LOGPROBS, Capability.N, Capability.SCHEMA, Capability.IMAGES}


@dataclass(frozen=True, slots=True)
class Server:
    """One kind of server.

    `extra` goes into every body, `extra_many` into those with ``n > 1``, `stream_extra` into ``stream_options``.
    `max_tokens` and `seed` name the body's fields; how much to reason is spelled in `reasoning`. A JSON
    schema goes into ``response_format``, or with `bare_schema` as it is into ``json_schema``. `always_stream` asks for
    a stream even where the caller does not need one. A server that does not `keep_alive` closes the connection
    after a stream without saying so beforehand.
    """

    name: str
    capabilities: frozenset[Capability]
    max_tokens: LimitName = "max_tokens"
    seed: str = "seed"
    extra: Mapping[str, Any] = field(default_factory=dict)
    extra_many: Mapping[str, Any] = field(default_factory=dict)
    stream_extra: Mapping[str, Any] = field(default_factory=dict)
    bare_schema: bool = False
    always_stream: bool = False
    keep_alive: bool = True


UNKNOWN = Server("unknown", _CHAT)

# Seeds are "best effort" there. Reasoning models take neither temperature nor log-probabilities, and say so.
OPENAI = Server(
    "openai",
    _CHAT | {Capability.N, Capability.SCHEMA, Capability.LOGPROBS, Capability.SEED},
    max_tokens="max_completion_tokens",
)

# It passes on what the model's provider takes, and asks for one choice whatever n says (openrouter.ai/docs).
OPENROUTER = Server(
    "openrouter",
    _CHAT | {Capability.SCHEMA, Capability.LOGPROBS, Capability.SEED, Capability.THINKING_BUDGET},
)

# n must be 1; a seed, log-probabilities and response_format are ignored (platform.claude.com, "OpenAI SDK").
ANTHROPIC = Server("anthropic", _CHAT | {Capability.THINKING_BUDGET})

# A seed is refused by its name there.
GEMINI = Server("gemini", _CHAT | {Capability.SCHEMA, Capability.THINKING_BUDGET})

DEEPSEEK = Server("deepseek", _CHAT | {Capability.LOGPROBS})

QWEN = Server("qwen", _CHAT | {Capability.SEED, Capability.THINKING_BUDGET})

MISTRAL = Server("mistral", _CHAT | {Capability.N, Capability.SCHEMA, Capability.SEED}, seed="random_seed")

# Token ids are the only exact count of one choice among several.
VLLM = Server(
    "vllm",
    _LOCAL | {Capability.SEED, Capability.THINKING, Capability.THINKING_BUDGET},
    extra_many={"return_token_ids": True},
    stream_extra={"continuous_usage_stats": True},
)

# A seed only counts there with --enable-deterministic-inference, a thinking budget with a logit processor.
SGLANG = Server("sglang", _LOCAL | {Capability.THINKING}, stream_extra={"continuous_usage_stats": True})

# In one piece its chat reply says neither which stop string was met nor, for n > 1, how long each choice is, and it
# repeats the prefix; the stream with "verbose" says and does it right.
LLAMACPP = Server(
    "llamacpp",
    _LOCAL | {Capability.SEED, Capability.THINKING, Capability.THINKING_BUDGET},
    extra={"verbose": True},
    always_stream=True,
    keep_alive=False,
)

OLLAMA = Server("ollama", _CHAT | {Capability.SEED, Capability.SCHEMA})

SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        server.name: server
        for server in (
            UNKNOWN, OPENAI, OPENROUTER, ANTHROPIC, GEMINI, DEEPSEEK, QWEN, MISTRAL, VLLM, SGLANG, LLAMACPP, OLLAMA,
        )
    }
)  # fmt: skip

# A prompt that ends in the middle of the reply is continued by any server that takes the prompt as it is.
_TEXT = _BASE | {Capability.CONTINUE}

_THINKING = {Capability.THINKING, Capability.THINKING_BUDGET}
"""The prompt is the template there, so nothing is left to say how much to reason."""

_IMAGES = {Capability.IMAGES}
"""A prompt is text."""

TEXT_SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        **{
            name: replace(server, capabilities=_TEXT | server.capabilities & {Capability.SEED, Capability.LOGPROBS})
            for name, server in SERVERS.items()
        },
        "openai": Server("openai", _TEXT | {Capability.N, Capability.SEED, Capability.LOGPROBS}),
        "vllm": replace(VLLM, capabilities=VLLM.capabilities - {Capability.THINKING} - _IMAGES),
        "sglang": replace(SGLANG, capabilities=SGLANG.capabilities - _THINKING - _IMAGES),
        "llamacpp": replace(LLAMACPP, capabilities=LLAMACPP.capabilities - _THINKING - _IMAGES, bare_schema=True),
        # It puts the prompt into the model's chat template, so that a prefix would end up in the question.
        "ollama": Server("ollama", _BASE | {Capability.SEED}),
    }
)

_HOSTS: Mapping[str, Server] = {
    "api.openai.com": OPENAI,
    ".openai.azure.com": OPENAI,
    "openrouter.ai": OPENROUTER,
    "api.anthropic.com": ANTHROPIC,
    "generativelanguage.googleapis.com": GEMINI,
    "api.deepseek.com": DEEPSEEK,
    "dashscope.aliyuncs.com": QWEN,
    "dashscope-intl.aliyuncs.com": QWEN,
    "dashscope-us.aliyuncs.com": QWEN,
    "api.mistral.ai": MISTRAL,
}


def named(kind: str) -> Server:
    """The server of this kind, for chat.

    Raises:
        InvalidOption: there is none.
    """
    if kind not in SERVERS:
        raise InvalidOption(f"{kind!r} is no kind of server; known: {', '.join(SERVERS)}")
    return SERVERS[kind]


def at_host(url: str) -> Server:
    """The vendor that is known to answer at this address, or `UNKNOWN`."""
    host = (urlsplit(url).hostname or "").lower()
    for known, server in _HOSTS.items():
        if host == known or (known.startswith(".") and host.endswith(known)):
            return server
    return UNKNOWN
