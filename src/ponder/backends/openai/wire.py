"""From a `Request` to the body of a chat completion call."""

from __future__ import annotations

import json
from typing import Any

from ponder.backends.openai.servers import Server
from ponder.core.backend import Capability, Request

__all__ = ["body"]

# Messages and schemas may be any mapping.
_encode = json.JSONEncoder(default=dict, check_circular=False).encode


def body(request: Request, model: str, server: Server, capabilities: frozenset[Capability]) -> bytes:
    """The JSON body, UTF-8.

    The prefix goes in as a last assistant message with ``continue_final_message``, which vLLM, SGLang and llama.cpp
    all understand. The servers strip nothing from it, but chat templates may trim white space at its end.
    """
    fields: dict[str, Any] = {
        "model": model,
        "messages": list(request.messages),
        server.max_tokens: request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        **server.extra,
    }
    if request.prefix:
        fields["messages"].append({"role": "assistant", "content": request.prefix})
        fields["continue_final_message"] = True
        fields["add_generation_prompt"] = False
    if request.n > 1:
        fields["n"] = request.n
        fields.update(server.extra_many)
    if request.stop:
        fields["stop"] = request.stop
    if request.seed is not None and Capability.SEED in capabilities:
        fields["seed"] = request.seed
    if request.logprobs:
        fields["logprobs"] = True
        fields["top_logprobs"] = request.logprobs
    if request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.schema}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.thinking_budget is not None:
        fields[server.thinking_budget] = request.thinking_budget
    if request.stream or server.always_stream:
        fields["stream"] = True
        fields["stream_options"] = {"include_usage": True, **server.stream_extra}
    return _encode(fields).encode()
