"""Tool calls and JSON replies are voted on as values, and come back as the model wrote them."""

from __future__ import annotations

import json

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from ponder.answers.json_values import value_of
from ponder.core.voting.tool_call_votes import calls_as_value
from tests.servers.chat import ChatServer
from tests.servers.replies import Said

ASK = [{"role": "user", "content": "What is the weather in Oslo?"}]
FOUR = "ponder/self-consistency(n=4)/test-model"
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
CALLS = [
    (("weather", '{"city": "Bergen"}'),),
    (("weather", '{"city":"Oslo","days":1.0}'),),
    (("weather", '{"days": 1, "city": "Oslo"}'),),
    (("weather", '{"city": "Os'),),
]
SHAPE = {
    "type": "json_schema",
    "json_schema": {"name": "sum", "strict": True, "schema": {"type": "object", "properties": {"sum": {}}}},
}


def calling(body: dict[str, object], index: int) -> Said:
    return Said([], "tool_calls", calls=CALLS[index])


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_are_voted_on_by_name_and_arguments(client: OpenAI, server: ChatServer, stream: bool) -> None:
    server.says = calling
    asked = {"model": FOUR, "messages": ASK, "tools": [WEATHER], "tool_choice": "auto"}
    if stream:
        with client.chat.completions.stream(**asked) as pieces:
            [choice] = pieces.get_final_completion().choices
    else:
        [choice] = client.chat.completions.create(**asked).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None or choice.message.content == ""
    [call] = choice.message.tool_calls
    assert (call.id, call.function.name) == ("call-1-0", "weather")
    assert json.loads(call.function.arguments) == {"city": "Oslo", "days": 1}


def test_the_bill_and_the_vote_of_tool_calls(client: OpenAI, server: ChatServer) -> None:
    server.says = calling
    reply = client.chat.completions.create(model=FOUR, messages=ASK, tools=[WEATHER])
    votes = reply.model_extra["ponder"]["votes"]
    assert votes == {'weather({"city": "Oslo", "days": 1})': 2.0, 'weather({"city": "Bergen"})': 1.0}
    assert reply.model_extra["ponder"]["confidence"] == 0.5  # what cannot be carried out supports nothing


def test_tools_and_earlier_calls_reach_every_branch(client: OpenAI, server: ChatServer) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    messages = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
    ]
    asked = {"tools": [WEATHER], "tool_choice": "auto", "parallel_tool_calls": False}
    client.chat.completions.create(model=FOUR, messages=messages, **asked)
    [body] = server.bodies
    assert body["messages"] == messages
    assert {name: body[name] for name in asked} == asked


def test_json_replies_are_compared_by_value(client: OpenAI, server: ChatServer) -> None:
    texts = ['{"sum": 3, "of": [1, 2]}', '{"sum": 4}', '{"of":[1,2.0],"sum":3.0}', "no JSON at all"]
    server.says = lambda body, index: Said([texts[index]], "stop")
    reply = client.chat.completions.create(model=FOUR, messages=ASK, response_format=SHAPE)
    assert reply.choices[0].message.content == texts[0]
    assert reply.model_extra["ponder"]["votes"] == {'{"of": [1, 2], "sum": 3}': 2.0, '{"sum": 4}': 1.0}
    assert server.bodies[0]["response_format"] == SHAPE


def test_how_an_answer_was_found_does_not_count(client: OpenAI, server: ChatServer) -> None:
    texts = ['{"steps": ["a"], "answer": "1/2"}', '{"steps": [], "answer": "3"}', '{"steps": ["b"], "answer": "0.5"}']
    server.says = lambda body, index: Said([texts[index % 3]], "stop")
    reply = client.chat.completions.create(
        model="ponder/self-consistency(n=3)/test-model", messages=ASK, response_format={"type": "json_object"}
    )
    assert reply.choices[0].message.content == texts[0]
    assert reply.model_extra["ponder"]["votes"] == {"1/2": 2.0, "3": 1.0}


@pytest.mark.parametrize(("field", "value"), [("tools", [WEATHER]), ("response_format", {"type": "json_object"})])
def test_a_method_that_cuts_replies_says_that_it_cannot(client: OpenAI, field: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError, match=f"{field}: cmc cuts replies") as caught:
        client.chat.completions.create(model="ponder/cmc@0.2/test-model", messages=ASK, **{field: value})
    assert caught.value.param == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text(), JSON), st.integers(0, 4), st.booleans())
def test_the_spelling_of_arguments_does_not_count(arguments: dict[str, object], indent: int, ascii_only: bool) -> None:
    respelled = dict(reversed(arguments.items()))
    texts = [json.dumps(arguments), json.dumps(respelled, indent=indent, ensure_ascii=ascii_only)]
    values = [calls_as_value([{"id": text, "function": {"name": "f", "arguments": text}}]) for text in texts]
    assert values[0] == values[1] is not None


@given(JSON)
def test_a_json_text_in_a_fence_is_the_same_value(value: object) -> None:
    text = json.dumps(value)
    assert value_of(f"```json\n{text}\n```\n") == value_of(text) is not None


@pytest.mark.parametrize("arguments", ["{", "[]", '"x"', "null and void", "[" * 100_000])
def test_arguments_that_nobody_can_carry_out_abstain(arguments: str) -> None:
    assert calls_as_value([{"function": {"name": "f", "arguments": arguments}}]) is None
