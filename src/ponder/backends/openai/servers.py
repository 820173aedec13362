"""The servers that speak the completions API, and what each adds to it.

`SERVERS` is how they do chat completions, `TEXT_SERVERS` how they do text completions. What is declared here is what
the server's own documentation promises for every model it serves. A user who knows more about a server declares it
with ``OpenAI(..., capabilities=...)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ponder.core.backend import Capability

__all__ = ["LLAMACPP", "OLLAMA", "OPENAI", "SERVERS", "SGLANG", "TEXT_SERVERS", "UNKNOWN", "VLLM", "Server"]

_BASE = frozenset({Capability.SAMPLE, Capability.CANCEL})
_LOCAL = _BASE | {Capability.CONTINUE, Capability.LOGPROBS, Capability.N, Capability.SCHEMA}


@dataclass(frozen=True, slots=True)
class Server:
    """One kind of server.

    `extra` goes into every body, `extra_many` into those with ``n > 1``, `stream_extra` into ``stream_options``.
    `max_tokens` and `thinking_budget` name the body's fields; an empty name means there is none. A JSON
    schema goes into ``response_format``, or with `bare_schema` as it is into ``json_schema``. `always_stream` asks for
    a stream even where the caller does not need one. A server that does not `keep_alive` closes the connection
    after a stream without saying so beforehand.
    """

    name: str
    capabilities: frozenset[Capability]
    max_tokens: str = "max_tokens"
    thinking_budget: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    extra_many: Mapping[str, Any] = field(default_factory=dict)
    stream_extra: Mapping[str, Any] = field(default_factory=dict)
    bare_schema: bool = False
    always_stream: bool = False
    keep_alive: bool = True


UNKNOWN = Server("unknown", _BASE)

# Seeds are "best effort" there, and whether log-probabilities are given depends on the model; neither is a promise.
OPENAI = Server("openai", _BASE | {Capability.N, Capability.SCHEMA}, max_tokens="max_completion_tokens")

# Token ids are the only exact count of one choice among several.
VLLM = Server(
    "vllm",
    _LOCAL | {Capability.SEED},
    thinking_budget="thinking_token_budget",
    extra_many={"return_token_ids": True},
    stream_extra={"continuous_usage_stats": True},
)

# A seed only counts there with --enable-deterministic-inference.
SGLANG = Server("sglang", _LOCAL, stream_extra={"continuous_usage_stats": True})

# In one piece its chat reply says neither which stop string was met nor, for n > 1, how long each choice is, and it
# repeats the prefix; the stream with "verbose" says and does it right.
LLAMACPP = Server(
    "llamacpp",
    _LOCAL | {Capability.SEED},
    thinking_budget="thinking_budget_tokens",
    extra={"verbose": True},
    always_stream=True,
    keep_alive=False,
)

OLLAMA = Server("ollama", _BASE | {Capability.SEED, Capability.SCHEMA})

SERVERS: Mapping[str, Server] = MappingProxyType(
    {server.name: server for server in (UNKNOWN, OPENAI, VLLM, SGLANG, LLAMACPP, OLLAMA)}
)

# A prompt that ends in the middle of the reply is continued by any server that takes the prompt as it is.
_TEXT = _BASE | {Capability.CONTINUE}

TEXT_SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        "unknown": replace(UNKNOWN, capabilities=_TEXT),
        "openai": Server("openai", _TEXT | {Capability.N}),
        "vllm": VLLM,
        "sglang": SGLANG,
        "llamacpp": replace(LLAMACPP, thinking_budget="", bare_schema=True),
        # It puts the prompt into the model's chat template, so that a prefix would end up in the question.
        "ollama": Server("ollama", _BASE | {Capability.SEED}),
    }
)
