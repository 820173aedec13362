"""From a `Request` to the body of a call: of a chat completion, or of a text completion."""

from __future__ import annotations

import json
from typing import Any

from ponder.backends.openai.prompt import prompt_of
from ponder.backends.openai.servers import Server
from ponder.core.backend import Capability, Request

__all__ = ["chat_body", "text_body"]

# Messages and schemas may be any mapping.
_encode = json.JSONEncoder(default=dict, check_circular=False).encode


def chat_body(request: Request, model: str, server: Server, capabilities: frozenset[Capability]) -> bytes:
    """The JSON body of a chat completion, UTF-8; the messages and `options` go in as they are.

    The prefix goes in as a last assistant message with ``continue_final_message``, which vLLM, SGLang and llama.cpp
    all understand. The servers strip nothing from it, but chat templates may trim white space at its end.
    """
    fields: dict[str, Any] = {**request.options, "model": model, "messages": list(request.messages)}
    if request.prefix:
        fields["messages"].append({"role": "assistant", "content": request.prefix})
        fields["continue_final_message"] = True
        fields["add_generation_prompt"] = False
    if request.logprobs:
        fields["logprobs"] = True
        fields["top_logprobs"] = request.logprobs
    _add_settings(fields, request, server, capabilities)
    return _encode(fields).encode()


def text_body(request: Request, model: str, server: Server, capabilities: frozenset[Capability]) -> bytes:
    """The JSON body of a text completion, UTF-8; the prefix is the end of the prompt.

    Raises:
        InvalidProblem: a message holds more than text.
    """
    fields: dict[str, Any] = {**request.options, "model": model, "prompt": prompt_of(request)}
    if request.logprobs:
        fields["logprobs"] = request.logprobs
    _add_settings(fields, request, server, capabilities)
    return _encode(fields).encode()


def _add_settings(
    fields: dict[str, Any], request: Request, server: Server, capabilities: frozenset[Capability]
) -> None:
    fields[server.max_tokens] = request.max_tokens
    fields["temperature"] = request.temperature
    fields["top_p"] = request.top_p
    fields.update(server.extra)
    if request.n > 1:
        fields["n"] = request.n
        fields.update(server.extra_many)
    if request.stop:
        fields["stop"] = [*request.stop, *request.options.get("stop", ())]
    if request.seed is not None and Capability.SEED in capabilities:
        fields["seed"] = request.seed
    if request.schema is not None and server.bare_schema:
        fields["json_schema"] = request.schema
    elif request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.schema}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.thinking_budget is not None:
        fields[server.thinking_budget] = request.thinking_budget
    if request.stream or server.always_stream:
        fields["stream"] = True
        fields["stream_options"] = {"include_usage": True, **server.stream_extra}
