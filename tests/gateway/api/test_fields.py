"""Every field of the wire is honoured, forwarded, or refused by its name; nothing is dropped without a word."""

from __future__ import annotations

import openai
import pytest
from gateway_process import Gateway
from openai import OpenAI

from ponder.gateway.errors import BadRequest
from ponder.gateway.wire.fields import CHAT, FORWARDED, HONOURED, TEXT, ChatRequest, Head, TextRequest, read
from tests.servers.chat import ChatServer

ASK = [{"role": "user", "content": "Hello"}]
SINGLE = "ponder/single/test-model"
VALUES = {
    "stop": ["x"], "frequency_penalty": 0.5, "presence_penalty": 0.5, "logit_bias": {"1": 2}, "user": "u",
    "response_format": {"type": "text"}, "tools": [], "tool_choice": "none", "parallel_tool_calls": False,
}  # fmt: skip
"""Values of the right type for fields that have one."""


def body(kind: type, **fields: object) -> dict[str, object]:
    asked = {"messages": ASK} if kind is ChatRequest else {"prompt": "Hello"}
    return {"model": SINGLE, **asked, **fields}


def test_every_field_of_the_sdk_is_in_the_table() -> None:
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase as Chat
    from openai.types.completion_create_params import CompletionCreateParamsBase as Text

    assert {*Chat.__annotations__, "stream"} <= CHAT.keys()
    assert {*Text.__annotations__, "stream"} <= TEXT.keys()


@pytest.mark.parametrize("kind", [ChatRequest, TextRequest])
def test_every_honoured_field_is_read(kind: type) -> None:
    table = CHAT if kind is ChatRequest else TEXT
    known = {field for struct in (kind, Head) for field in struct.__struct_fields__}
    assert {name for name, what in table.items() if what == HONOURED} <= known


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, table in ((ChatRequest, CHAT), (TextRequest, TEXT)) for name in (*table, "of_a_vendor")],
)
def test_a_field_goes_on_or_is_refused_by_name(kind: type, name: str) -> None:
    what = (CHAT if kind is ChatRequest else TEXT).get(name, FORWARDED)
    value = VALUES.get(name, 7)
    if what == HONOURED:
        return
    if what == FORWARDED:
        assert read(body(kind, **{name: value}), kind)[1] == {name: value}
    else:
        with pytest.raises(BadRequest, match=f"^{name} cannot be honoured") as caught:
            read(body(kind, **{name: value}), kind)
        assert caught.value.param == name


@pytest.mark.parametrize("name", sorted(CHAT.keys() - {"model", "messages"}))
def test_null_is_the_same_as_nothing(name: str) -> None:
    assert read(body(ChatRequest, **{name: None}), ChatRequest) == read(body(ChatRequest), ChatRequest)


@pytest.mark.parametrize(
    "fields", [{"n": 1}, {"logprobs": False}, {"modalities": ["text"]}, {"top_logprobs": 0}, {"store": False}]
)
def test_what_asks_for_nothing_is_let_through(fields: dict[str, object]) -> None:
    read(body(ChatRequest, **fields), ChatRequest)


@pytest.mark.parametrize(
    ("fields", "said", "param"),
    [
        ({"temperature": "hot"}, "temperature: expected `float | null`, got `str`", "temperature"),
        ({"temperature": 3}, "temperature: expected `float` <= 2.0", "temperature"),
        (
            {"messages": [{"role": "wizard", "content": "x"}]},
            "messages[0].role: invalid enum value 'wizard'",
            "messages",
        ),
        ({"messages": []}, "messages: expected `array` of length >= 1", "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content: expected", "messages"),
        ({"max_tokens": 0}, "max_tokens: expected `int` >= 1", "max_tokens"),
        ({"n": 3}, "n cannot be honoured with a strategy: a scaled answer is one choice", "n"),
        ({"ponder": {"strategi": "single"}}, "ponder: object contains unknown field `strategi`", "ponder"),
        ({"ponder": {"effort": 2}}, "ponder.effort: expected `float` <= 1.0", "ponder"),
        ({"ponder": 7}, "ponder: expected `object`, got `int`", "ponder"),
        ({"ponder": {"budget": "tokens=lots"}}, "'lots' is not a number like 500, 20k or 0.05", None),
        ({"ponder": {"verifier": "os:system"}}, "verifier 'os:system' cannot be used in a request", "ponder"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name: expected", "tools"),
        ({"response_format": {"type": "yaml"}}, "response_format.type: invalid enum value 'yaml'", "response_format"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    client: OpenAI, server: ChatServer, fields: dict[str, object], said: str, param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"model": SINGLE, "messages": ASK, **fields}, cast_to=object)
    assert said in caught.value.body["message"]
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert server.bodies == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"model": 7}', b'{"messages": []}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_none(client: OpenAI, data: bytes) -> None:
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", content=data, cast_to=object)


def test_a_text_completion_with_a_strategy(client: OpenAI, server: ChatServer) -> None:
    prompt = "Question: 2 + 2?\n\nAnswer:"
    reply = client.completions.create(model="ponder/self-consistency(n=3)/test-model", prompt=prompt, stop="###")
    assert reply.object == "text_completion"
    assert reply.choices[0].text
    assert reply.usage.completion_tokens > 0
    [sent] = server.bodies
    assert sent["prompt"] == prompt
    assert sent["stop"] == ["###"]


def test_a_text_completion_as_a_stream(client: OpenAI, server: ChatServer) -> None:
    pieces = list(client.completions.create(model=SINGLE, prompt="Two and two", stream=True))
    assert "".join(piece.choices[0].text for piece in pieces)
    assert pieces[-1].choices[0].finish_reason == "stop"


def test_a_text_completion_that_passes_through(client: OpenAI, server: ChatServer) -> None:
    client.completions.create(model="test-model", prompt="a", echo=True)
    assert server.bodies == [{"model": "test-model", "prompt": "a", "echo": True}]


def test_a_whole_number_may_be_written_with_a_point(client: OpenAI, server: ChatServer) -> None:
    data = b'{"model": "ponder/self-consistency/test-model", "prompt": "x", "max_tokens": 9.0, "ponder": {"n": 2.0}}'
    client.post("/completions", content=data, cast_to=object)
    assert [(body["n"], body["max_tokens"]) for body in server.bodies] == [(2, 9)]


def test_the_document_describes_every_field_that_is_read(client: OpenAI, gateway: Gateway) -> None:
    found = client.get(f"{gateway.url.removesuffix('/v1')}/openapi.json", cast_to=dict[str, object])
    assert found["openapi"] == "3.1.0"
    for kind in (ChatRequest, TextRequest):
        properties = found["components"]["schemas"][kind.__name__]["properties"]
        assert set(properties) == set(kind.__struct_fields__)
    operated = {"/health", "/ready", "/metrics"}
    assert set(found["paths"]) - operated == {
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/models/{id}", "/v1/runs/{id}",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), [("get", "/nowhere", 404), ("put", "/models", 405)])
def test_what_is_not_served_is_an_error_of_the_api(client: OpenAI, method: str, path: str, status: int) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        getattr(client, method)(path, cast_to=object)
    assert caught.value.status_code == status
    assert caught.value.code == "no_such_endpoint"
