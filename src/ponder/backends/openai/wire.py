"""From a `Request` to the body of a call: of a chat completion, or of a text completion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ponder.backends.openai.learned import Learned
from ponder.backends.openai.prompt import prompt_of
from ponder.backends.openai.reasoning import reasoning
from ponder.backends.openai.servers import Server
from ponder.core.backend import Capability, Request
from ponder.core.settings import TEMPERATURE

__all__ = ["Body", "Target", "chat_body", "encode", "text_body"]

Body = dict[str, Any]

# Messages and schemas may be any mapping.
_json = json.JSONEncoder(default=dict, check_circular=False)


@dataclass(frozen=True, slots=True)
class Target:
    """What a body is made for: a model of a kind of server, what that can do, and what it has refused so far."""

    model: str
    server: Server
    capabilities: frozenset[Capability]
    learned: Learned


def encode(body: Body) -> bytes:
    """The body as JSON, UTF-8."""
    return _json.encode(body).encode()


def chat_body(request: Request, target: Target) -> Body:
    """The body of a chat completion; the messages and `options` go in as they are.

    The prefix goes in as a last assistant message with ``continue_final_message``, which vLLM, SGLang and llama.cpp
    all understand. The servers strip nothing from it, but chat templates may trim white space at its end.

    Raises:
        InvalidOption: the model cannot reason within so many tokens.
    """
    fields: Body = {**request.options, "model": target.model, "messages": list(request.messages)}
    if request.prefix:
        fields["messages"].append({"role": "assistant", "content": request.prefix})
        fields["continue_final_message"] = True
        fields["add_generation_prompt"] = False
    if request.logprobs:
        fields["logprobs"] = True
        fields["top_logprobs"] = request.logprobs
    fields.update(reasoning(request, target.server.name))
    _add_settings(fields, request, target)
    return target.learned.applied_to(fields)


def text_body(request: Request, target: Target) -> Body:
    """The body of a text completion; the prefix is the end of the prompt.

    Raises:
        InvalidProblem: a message holds more than text.
    """
    fields: Body = {**request.options, "model": target.model, "prompt": prompt_of(request)}
    if request.logprobs:
        fields["logprobs"] = request.logprobs
    limits = reasoning(request, target.server.name)
    limits.pop("chat_template_kwargs", None)  # the prompt is not put into a template
    fields.update(limits)
    _add_settings(fields, request, target)
    return target.learned.applied_to(fields)


def _add_settings(fields: Body, request: Request, target: Target) -> None:
    server = target.server
    # Text completions know one name only.
    fields[request.limit_name or server.max_tokens if "messages" in fields else "max_tokens"] = request.max_tokens
    fields["temperature"] = TEMPERATURE if request.temperature is None else request.temperature
    if request.top_p is not None:
        fields["top_p"] = request.top_p
    fields.update(server.extra)
    if request.n > 1:
        fields["n"] = request.n
        fields.update(server.extra_many)
    if request.stop:
        fields["stop"] = [*request.stop, *request.options.get("stop", ())]
    if request.seed is not None and Capability.SEED in target.capabilities:
        fields[server.seed] = request.seed
    _add_schema(fields, request.schema, bare=server.bare_schema)
    if request.stream or server.always_stream:
        fields["stream"] = True
        fields["stream_options"] = {"include_usage": True, **server.stream_extra}


def _add_schema(fields: Body, schema: Mapping[str, Any] | None, *, bare: bool) -> None:
    if schema is not None and bare:
        fields["json_schema"] = schema
    elif schema is not None:
        fields["response_format"] = {
            "type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }  # fmt: skip
