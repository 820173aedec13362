"""The wire: every field that clients send, its type, and what becomes of it.

`CHAT` and `TEXT` are the tables. They are about requests that a strategy answers; one that passes through reaches the
upstream as it came. A field that stands in no table goes on to the upstream, which may know it; the embedded model
refuses the ones that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from ponder.core.settings import LimitName
from ponder.gateway.errors import BadRequest
from ponder.gateway.wire.bounds import LONGEST, MOST, NAME
from ponder.gateway.wire.spellings import Names

__all__ = [
    "CHAT",
    "FORWARDED",
    "HONOURED",
    "READ",
    "TEXT",
    "ChatRequest",
    "Function",
    "Head",
    "Message",
    "Part",
    "Ponder",
    "ResponseFormat",
    "StreamOptions",
    "TextRequest",
    "Tool",
    "images_in",
    "messages_of",
    "read",
    "read_head",
    "read_ponder",
]

HONOURED = "honoured"
"""Ponder itself does what the field says."""

FORWARDED = "forwarded"
"""It goes with every call that a strategy makes for a branch."""

_ONE = "a scaled answer is one choice; ponder.n says how many samples are behind it"
_LOGPROBS = "the log-probabilities of one sample say nothing of the vote"
_TOOLS = "it is superseded by tools and tool_choice"
_PROMPT = "the engine sets it itself when it continues a branch"

_BOTH: Mapping[str, str] = {
    "model": HONOURED,
    "stream": HONOURED,
    "stream_options": HONOURED,
    "max_tokens": HONOURED,
    "temperature": HONOURED,
    "top_p": HONOURED,
    "seed": HONOURED,
    "ponder": HONOURED,
    "stop": FORWARDED,
    "frequency_penalty": FORWARDED,
    "presence_penalty": FORWARDED,
    "logit_bias": FORWARDED,
    "user": FORWARDED,
    "n": _ONE,
    "best_of": _ONE,
    "logprobs": _LOGPROBS,
    "top_logprobs": _LOGPROBS,
    "prompt_logprobs": _LOGPROBS,
    "return_token_ids": "the answer is text",
    "n_predict": "it says what max_tokens says; give that",
    "continue_final_message": _PROMPT,
    "add_generation_prompt": _PROMPT,
}

CHAT: Mapping[str, str] = {
    **_BOTH,
    "messages": HONOURED,
    "max_completion_tokens": HONOURED,
    "reasoning_effort": HONOURED,
    "response_format": FORWARDED,
    "tools": FORWARDED,
    "tool_choice": FORWARDED,
    "parallel_tool_calls": FORWARDED,
    "metadata": FORWARDED,
    "store": FORWARDED,
    "service_tier": FORWARDED,
    "safety_identifier": FORWARDED,
    "moderation": FORWARDED,
    "prompt_cache_key": FORWARDED,
    "prompt_cache_options": FORWARDED,
    "prompt_cache_retention": FORWARDED,
    "prediction": FORWARDED,
    "verbosity": FORWARDED,
    "web_search_options": "what the model cites is not kept",
    "functions": _TOOLS,
    "function_call": _TOOLS,
    "audio": "speech cannot be compared",
    "modalities": "speech cannot be compared",
}
"""The fields of a chat completion: `HONOURED`, `FORWARDED`, or why it is refused."""

TEXT: Mapping[str, str] = {
    **_BOTH,
    "prompt": HONOURED,
    "suffix": "a strategy continues the prompt, it does not fill gaps",
    "echo": "the answer is what follows the prompt",
}
"""The fields of a text completion: `HONOURED`, `FORWARDED`, or why it is refused."""

_HARMLESS: Mapping[str, Any] = {
    "n": 1, "best_of": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"], "echo": False, "suffix": "",
    "return_token_ids": False, "add_generation_prompt": True, "continue_final_message": False,
}  # fmt: skip
"""Values that ask for nothing: SDKs send defaults along."""

READ = Names.of(
    *CHAT, *TEXT, "input", "dimensions", "encoding_format",
    stream_options=Names.of("include_usage", "include_obfuscation"),
    messages=Names.of("role", content=Names.of("type")),
    tools=Names.of("type", function=Names.of("name")),
    response_format=Names.of("type", "json_schema"),
)  # fmt: skip
"""What is read of a body, at each level."""

LARGEST_OPTIONS = 2**19
"""Bytes of the fields that go with every call of a strategy, and into its journal: tools, for instance."""

_QUOTED = 200
"""Characters of what `msgspec` says, which quotes what it does not know."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME)]
_Stop = Annotated[str, msgspec.Meta(max_length=LONGEST["stop"])]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Ponder(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a client asks of Ponder itself, in the field ``ponder`` of the body (``extra_body`` in the SDKs).

    `strategy` is a spec, `effort` its knob in [0, 1], `n` its option of that name, `budget` as in
    ``"tokens=20k,usd=0.05"``, `seconds` the deadline, `verifier` the name of one.
    """

    strategy: Annotated[str, msgspec.Meta(max_length=NAME)] | None = None
    effort: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    budget: Annotated[str, msgspec.Meta(max_length=NAME)] | None = None
    seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    verifier: Annotated[str, msgspec.Meta(max_length=NAME)] | None = None


class Part(msgspec.Struct):
    """A part of a message: text, an image, a file."""

    type: str


class Message(msgspec.Struct):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class StreamOptions(msgspec.Struct):
    """How a stream is sent."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Function(msgspec.Struct):
    """What a tool is called."""

    name: Name


class Tool(msgspec.Struct):
    """Something that the model may call."""

    type: str
    function: Function | None = None


class ResponseFormat(msgspec.Struct):
    """The form of the reply."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class _Settings(msgspec.Struct, kw_only=True):
    model: Name
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: _Stop | Annotated[list[_Stop], msgspec.Meta(max_length=16)] | None = None
    frequency_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[str, float], msgspec.Meta(max_length=MOST["logit_bias"])] | None = None
    user: Annotated[str, msgspec.Meta(max_length=NAME)] | None = None
    ponder: Ponder | None = None

    @property
    def include_usage(self) -> bool:
        """True if a stream is to end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatRequest(_Settings, kw_only=True):
    """The body of a chat completion, as far as a strategy has to understand it."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=1, max_length=MOST["messages"])]
    max_completion_tokens: Tokens | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], msgspec.Meta(max_length=MOST["tools"])] | None = None

    @property
    def limit(self) -> int | None:
        """The longest reply, in tokens."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def limit_name(self) -> LimitName | None:
        """What the client calls that limit; a model may know only one of the names."""
        if self.max_completion_tokens is not None:
            return "max_completion_tokens"
        return None if self.max_tokens is None else "max_tokens"


class TextRequest(_Settings, kw_only=True):
    """The body of a text completion, as far as a strategy has to understand it."""

    prompt: str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)]
    limit_name: ClassVar[LimitName | None] = None

    @property
    def limit(self) -> int | None:
        """The longest reply, in tokens."""
        return self.max_tokens


class Head(msgspec.Struct):
    """What decides where a request goes."""

    model: Name
    stream: Any = None
    stream_options: Any = None
    n: Any = None
    best_of: Any = None
    prompt: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    n_predict: Any = None
    reasoning_effort: Any = None
    ponder: Any = None


class _Asking(msgspec.Struct):
    ponder: Ponder


def read_head(fields: Mapping[str, Any]) -> Head:
    """The beginning of every request.

    Raises:
        BadRequest: it names no model.
    """
    try:
        return msgspec.convert(fields, Head)
    except msgspec.ValidationError as error:
        raise _translated(error) from None


def read_ponder(head: Head) -> Ponder | None:
    """What the request asks of Ponder, if it does.

    Raises:
        BadRequest: a part of it is unknown, of the wrong type or out of bounds.
    """
    if head.ponder is None:
        return None
    try:
        return msgspec.convert({"ponder": head.ponder}, _Asking).ponder
    except msgspec.ValidationError as error:
        raise _translated(error) from None


def read(
    fields: Mapping[str, Any], kind: type[ChatRequest] | type[TextRequest]
) -> tuple[ChatRequest | TextRequest, dict[str, Any]]:
    """The body of a request that a strategy answers, and the fields that go with every call.

    A field that is null counts as absent.

    Raises:
        BadRequest: a field is of the wrong type, out of bounds, or refused.
    """
    fields = {name: value for name, value in fields.items() if value is not None}
    try:
        request = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise _translated(error) from None
    table = CHAT if kind is ChatRequest else TEXT
    for name, value in fields.items():
        reason = table.get(name, FORWARDED)
        if reason not in (HONOURED, FORWARDED) and not _is_harmless(name, value):
            raise BadRequest(f"{name} cannot be honoured with a strategy: {reason}", name)
    options = {name: value for name, value in fields.items() if table.get(name, FORWARDED) == FORWARDED}
    size = len(msgspec.json.encode(options))
    if size > LARGEST_OPTIONS:
        raise BadRequest(f"{size:,} bytes of fields go with every call; at most {LARGEST_OPTIONS:,} are taken")
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    return request, options


def _is_harmless(name: str, value: object) -> bool:
    harmless = _HARMLESS.get(name)
    return value == harmless and type(value) is type(harmless)  # for 0 is equal to False


def messages_of(request: ChatRequest | TextRequest, fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The messages as they came; of a text completion, the prompt as the one message of role ``prompt``."""
    if isinstance(request, ChatRequest):
        return tuple(fields["messages"])
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[0]
    return ({"role": "prompt", "content": prompt},)


def images_in(fields: Mapping[str, Any]) -> int:
    """How many parts of the messages are no text; a model may read much more of them than they have bytes."""
    messages = fields.get("messages")
    contents = [one.get("content") for one in messages if isinstance(one, dict)] if isinstance(messages, list) else ()
    return sum(
        isinstance(part, dict) and part.get("type", "text") != "text"
        for content in contents
        if isinstance(content, list)
        for part in content
    )


def _translated(error: msgspec.ValidationError) -> BadRequest:
    """The words of `msgspec`, with the place in front: ``messages[0].role: ...``."""
    what, _, place = str(error).rpartition(" - at `$")
    if not what:
        return BadRequest(str(error))
    field = place.rstrip("`").lstrip(".")
    text = f"{field or 'the body'}: {what[:1].lower()}{what[1:_QUOTED]}"
    return BadRequest(text, field.split("[")[0].split(".")[0] or None)
