"""A body is read as every upstream reads it, in time linear in its size, or refused."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.text.quoting import LINE
from ponder.gateway.errors import BadRequest
from ponder.gateway.http.error_replies import failure_of
from ponder.gateway.wire.bounds import FIELDS, NUMBERS, VALUES
from ponder.gateway.wire.fields import LARGEST_OPTIONS, ChatRequest, read, read_head
from ponder.gateway.wire.reading import LARGE, Body, Reader
from ponder.gateway.wire.strict_json import DEEPEST

ASK = {"model": "m", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
LONG = "x" * 1_000_000


def refusal(data: bytes | dict[str, Any]) -> str:
    """Why a body is refused."""
    with pytest.raises(BadRequest) as refused:
        Body(data if isinstance(data, bytes) else json.dumps(data).encode())
    failure = failure_of(refused.value)
    assert failure.status == 400
    assert len(failure.message) <= LINE
    assert failure.message.isprintable()
    return failure.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=50)
@given(st.dictionaries(st.text().map("x{}".format), json_values, max_size=3), st.booleans())
def test_what_is_json_is_read_as_it_is(fields: dict[str, Any], ascii: bool) -> None:
    assert Body(json.dumps(fields, ensure_ascii=ascii).encode()).fields == fields


@pytest.mark.parametrize(
    "data",
    [
        b'{"model": "a", "model": "b"}',
        b'{"model": "a", "mod\\u0065l": "b"}',
        b'{"model": "a", "model": "a"}',
        b'{"max_tokens": 5, "messages": [], "max_tokens": 50000}',
        b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
        b'{"messages": [{"role": "user", "content": [{"type": "text", "type": "image_url"}]}]}',
        b'{"stream_options": {"include_usage": true, "include_usage": false}}',
        b'{"tools": [{"function": {"parameters": {"properties": {"a": 1, "a": 2}}}}]}',
        b'{"of a vendor": [[{"x": {"": 1, "": 2}}]]}',
    ],
)
def test_a_field_that_stands_twice_is_refused_at_every_level(data: bytes) -> None:
    assert "stands twice in one object" in refusal(data)


@pytest.mark.parametrize(
    "name",
    [
        "Model", "MODEL", "mODEL", "model\0", "model\0x", "MaxTokens", "max-tokens", "maxTokens",
        "max_to\u212aens", "\u017ftream", "N", "Stream_Options", "BEST_OF", "nPredict", "MESSAGES", "Prompt", "INPUT",
        "Ponder", "Stop", "LogIt_Bias",
    ],
)  # fmt: skip
def test_a_spelling_that_some_servers_take_for_a_field_is_refused_alone_or_beside_it(name: str) -> None:
    assert "to some servers, not to others; write" in refusal({**ASK, name: 7})
    assert "to some servers, not to others; write" in refusal({name: "m"})


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "Role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x"}, {"role": "user", "Content": "y"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "Type": "image_url"}]}]},
        {"stream_options": {"Include_Usage": True}},
        {"stream_options": {"includeUsage": True}},
        {"tools": [{**TOOL, "Function": {}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "Name": "g"}}]},
        {"response_format": {"type": "text", "TYPE": "json_object"}},
    ],
)
def test_so_it_is_wherever_a_value_is_read(fields: dict[str, Any]) -> None:
    assert "to some servers, not to others" in refusal({**ASK, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"ID": "1", "id": "2", "Model": "x"}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"N": {}, "n": {}}}}}]},
        {"top_k": 5, "min_p": 0.1, "Top_K": 6, "chat_template_kwargs": {"Model": 1, "model": 2}},
        {"logit_bias": {str(token): -100 for token in range(4096)}},
        {"messages": [{"role": "user", "content": "x"}] * 8192},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": LONG * 2}] * 3}]},
        {"user": "u" * 500, "stop": ["s" * 1000] * 16, "metadata": {str(at): "v" * 2000 for at in range(64)}},
        {"prompt": [151_643] * 500_000},
        {"tools": [TOOL] * 1024},
        {"temperature": 0.1000000000000000055511151231257827021181583404541015625, "x": [1e308, 5e-324, -(10**400)]},
        {"x": "\U0001f600 \u2028 \x7f"},
    ],
)
def test_what_is_right_is_let_through(fields: dict[str, Any]) -> None:
    assert Body(json.dumps({**ASK, **fields}).encode()).fields == {**ASK, **fields}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model": LONG}, "model: a text of 1,000,000 characters; at most 500"),
        ({"user": LONG}, "user: a text of"),
        ({"user": [LONG]}, "user: a text of"),
        ({"user": {"id": LONG}}, "id: a text of"),
        ({"safety_identifier": LONG}, "safety_identifier: a text of"),
        ({"stop": LONG}, "stop: a text of 1,000,000 characters; at most 1,000"),
        ({"stop": ["a", LONG]}, "stop: a text of"),
        ({"stop": ["a"] * 65}, "'stop' has 65 entries; at most 64"),
        ({"reasoning_effort": LONG}, "reasoning_effort: a text of"),
        ({"metadata": {"a": LONG}}, "metadata: a text of"),
        ({"metadata": {str(at): "" for at in range(65)}}, "'metadata' has 65 entries"),
        ({"metadata": {LONG: ""}}, "a name of 1,000,000 characters"),
        ({LONG: 1}, "a name of 1,000,000 characters"),
        ({"ponder": {LONG: 1}}, "a name of 1,000,000 characters"),
        ({"ponder": {"budget": LONG}}, "budget: a text of"),
        ({"tools": [{"type": "function", "function": {"name": LONG}}]}, "name: a text of"),
        ({"tools": [TOOL] * 1025}, "'tools' has 1,025 entries"),
        ({"tool_choice": LONG}, "tool_choice: a text of"),
        ({"logit_bias": {str(token): 1 for token in range(4097)}}, "'logit_bias' has 4,097 entries"),
        ({"logit_bias": {str(token): 1 for token in range(400_000)}}, "there is too much in the body"),
        ({"messages": [{"role": LONG, "content": ""}]}, "role: a text of"),
        ({"messages": [{"role": "tool", "tool_call_id": LONG, "content": ""}]}, "tool_call_id: a text of"),
        ({"messages": [{"role": "user", "content": ""}] * 8193}, "'messages' has 8,193 entries"),
        ({"messages": [{"content": [{"type": "text", "text": "x"}] * 4097}]}, "'content' has 4,097 entries"),
        ({"messages": [{"content": [{"type": "text", "text": "x"}] * 200_000}]}, "there is too much in the body"),
        ({f"x{at}": 1 for at in range(FIELDS + 1)}, "fields; at most 256"),
        ({"x": {str(at): 1 for at in range(8193)}}, "'x' has 8,193 entries"),
        ({"x": ["a"] * (VALUES + 1)}, "there is too much in the body"),
        ({"prompt": [1] * (NUMBERS + 1)}, "there is too much in the body"),
    ],
)
def test_everything_is_bounded_by_what_it_means(fields: dict[str, Any], told: str) -> None:
    assert told in refusal({**ASK, **fields})


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"NaN", "no JSON"),
        (b"-Infinity", "no JSON"),
        (b"1e999", "is no number that servers can read"),
        (b"0." + b"9" * 1_000_000, "is no number that servers can read"),
        (b"9" * 1_000_000, "a number in the body has thousands of digits"),
        (b'"\\ud83d"', "a half of a UTF-16 pair"),
        (b'"\\ude00\\ud83d"', "a half of a UTF-16 pair"),
        (b'{"\\ud83d": 1}', "a half of a UTF-16 pair"),
        (b'"\xff"', "no JSON"),
        (b'"a\x00b"', "no JSON"),
        (b"[1,]", "no JSON"),
        (b"01", "no JSON"),
        (b"1} x", "no JSON"),
        (b"/* */ 1", "no JSON"),
        (b'"' + b"x" * 1_000_000, "no JSON"),
        (b'"' + b'\\"' * 500_000, "no JSON"),
        (b"[" * DEEPEST + b"]" * DEEPEST, f"nested more than {DEEPEST} levels"),
        (b'{"a":' * 199 + b"[]" + b"}" * 199, f"nested more than {DEEPEST} levels"),
        (b"[" * 100_000 + b"]" * 100_000, "there is too much in the body"),
        (b'{"a":' * 5_000, f"nested more than {DEEPEST} levels"),
        (b"[],".join([b"["] * 300_000), "there is too much in the body"),
    ],
)
def test_what_servers_read_in_different_ways_or_not_at_all_is_refused(value: bytes, told: str) -> None:
    assert told in refusal(b'{"model": "m", "x": ' + value + b"}")


@pytest.mark.parametrize("data", [b"", b"7", b"[]", b'"model"', b"null", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00"])
def test_a_body_is_an_object_in_utf8(data: bytes) -> None:
    assert refusal(data)


def test_the_deepest_body_is_read() -> None:
    inner = DEEPEST - 1
    assert Body(b'{"x": ' + b"[" * inner + b"]" * inner + b"}").fields


def test_a_model_has_a_name() -> None:
    for fields in ({}, {"model": ""}, {"model": None}, {"model": 7}, {"model": ["m"]}):
        with pytest.raises(BadRequest, match="model"):
            read_head(fields)


def test_what_goes_with_every_call_is_bounded() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "x" * 600}}]
    assert read({**ASK, "tools": tools * 700}, ChatRequest)[1]
    with pytest.raises(BadRequest, match=f"bytes of fields go with every call; at most {LARGEST_OPTIONS:,}"):
        read({**ASK, "tools": tools * 1000}, ChatRequest)


@pytest.mark.anyio
async def test_a_large_body_is_read_beside_the_loop_and_a_key_waits_only_for_itself() -> None:
    """While the reader is held up by one key's body, small ones are read, and keys take turns."""
    reader, held, order = Reader(), threading.Event(), list[str]()
    large = json.dumps({**ASK, "x": "y" * LARGE}).encode()
    reader._thread.submit(held.wait)

    async def read_for(key: str) -> None:
        assert (await reader.read(large, key)).fields["model"] == "m"
        order.append(key)

    waiting = [asyncio.create_task(read_for(key)) for key in ("greedy", "greedy", "greedy", "other")]
    await asyncio.sleep(0)
    assert (await reader.read(json.dumps(ASK).encode(), "greedy")).fields == ASK
    held.set()
    await asyncio.gather(*waiting)
    assert order.index("other") == 1, "it came after four, and waited for one"
    reader.close()


@pytest.mark.anyio
async def test_who_goes_away_while_a_body_is_read_leaves_the_turn_to_the_next() -> None:
    reader, held = Reader(), threading.Event()
    large = json.dumps({**ASK, "x": "y" * LARGE}).encode()
    reader._thread.submit(held.wait)
    first, second = (asyncio.create_task(reader.read(large, "it")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    held.set()
    assert (await second).fields["model"] == "m"
    reader.close()
