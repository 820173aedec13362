"""Tool calls come in every shape: what is called is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.backends.openai import OpenAI
from ponder.backends.openai.tool_calls import ToolCalls, as_calls
from ponder.core.backend import Progress
from tests.backends.test_openai_stream import ASK
from tests.servers import faults
from tests.servers.chat import ChatServer
from tests.servers.faults import chunk, event

WEATHER, TIME = ("get_weather", {"city": "Rome"}), ("get_time", {"zone": "CET"})


def piece(name: str | None = None, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


W, T = json.dumps(WEATHER[1]), json.dumps(TIME[1])
IN_PIECES = {
    "as OpenAI": [
        piece("get_weather", "", index=0, id="a", type="function"), piece(None, W[:6], index=0),
        piece(None, W[6:], index=0),
        piece("get_time", "", index=1, id="b", type="function"), piece(None, T, index=1),
    ],
    "no index": [
        piece("get_weather", W[:6], id="a"), piece(None, W[6:]), piece("get_time", T[:4], id="b"), piece(None, T[4:]),
    ],
    "no index, no id": [piece("get_weather", W[:6]), piece(None, W[6:]), piece("get_time", T)],
    "index null": [piece("get_weather", W, index=None, id="a"), piece("get_time", T, index=None, id="b")],
    "one index for both, ids": [piece("get_weather", W, index=0, id="a"), piece("get_time", T, index=0, id="b")],
    "one index for both, no ids": [piece("get_weather", W, index=0), piece("get_time", T, index=0)],
    "from 1": [piece("get_weather", W, index=1, id="a"), piece("get_time", T, index=2, id="b")],
    "with gaps": [piece("get_weather", W, index=0, id="a"), piece("get_time", T, index=7, id="b")],
    "name and id in every piece": [
        piece("get_weather", W[:6], index=0, id="a"), piece("get_weather", W[6:], index=0, id="a"),
        piece("get_time", T[:6], index=1, id="b"), piece("get_time", T[6:], index=1, id="b"),
    ],
    "name in every piece, no id": [
        piece("get_weather", W[:6], index=0), piece("get_weather", W[6:], index=0), piece("get_time", T, index=1),
    ],
    "name in pieces": [
        piece("get_", "", index=0, id="a"), piece("weather", W, index=0), piece("get_", "", index=1, id="b"),
        piece("time", T, index=1),
    ],
    "arguments as objects": [piece(*WEATHER, index=0, id="a"), piece(*TIME, index=1, id="b")],
    "interleaved": [
        piece("get_weather", "", index=0, id="a"), piece("get_time", "", index=1, id="b"), piece(None, W[:3], index=0),
        piece(None, T[:3], index=1), piece(None, W[3:], index=0), piece(None, T[3:], index=1),
    ],
    "the id comes later": [
        piece("get_weather", "", index=0), piece(None, W, index=0, id="a"), piece("get_time", T, index=1, id="b"),
    ],
    "empty ids and names": [
        piece("get_weather", W[:6], index=0, id=""), piece("", W[6:], index=0, id=""),
        piece("get_time", T, index=1, id=""),
    ],
    "the same tool twice, one index": [piece("get_time", T, index=0), piece("get_time", T, index=0)],
}  # fmt: skip


def called(calls: list[dict[str, Any]] | tuple[Any, ...]) -> list[tuple[str, Any]]:
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(call["id"] and call["type"] == "function" for call in calls)
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


@pytest.mark.anyio
@pytest.mark.parametrize("shape", IN_PIECES)
async def test_a_stream_of_pieces(server: ChatServer, backend: OpenAI, shape: str) -> None:
    deltas = [chunk("", tool_calls=[each]) for each in IN_PIECES[shape]]
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    server.faults.append(faults.stream([*deltas, end, b"data: [DONE]\n\n"]))
    (choice,) = (await backend.generate(ASK, Progress())).choices
    assert called(choice.tool_calls) == ([TIME, TIME] if "twice" in shape else [WEATHER, TIME])
    assert choice.finish == "stop"


@pytest.mark.anyio
async def test_a_call_without_arguments_and_one_of_the_first_form(server: ChatServer, backend: OpenAI) -> None:
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "function_call"}]})
    for deltas, wanted in (
        ([chunk("", tool_calls=[piece("now", None, index=0, id="a")])], [("now", {})]),
        (
            [chunk("", function_call={"name": "now", "arguments": ""}), chunk("", function_call={"arguments": W})],
            [("now", WEATHER[1])],
        ),
    ):
        server.faults.append(faults.stream([*deltas, end, b"data: [DONE]\n\n"]))
        (choice,) = (await backend.generate(ASK, Progress())).choices
        assert called(choice.tool_calls) == wanted


@pytest.mark.anyio
async def test_a_reply_in_one_piece(server: ChatServer, backend: OpenAI) -> None:
    calls = [piece(*WEATHER, id=None), piece("get_time", T, id="b", type="function")]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    server.faults.append(
        faults.body(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode())
    )
    (choice,) = (await backend.generate(replace(ASK, stream=False), Progress())).choices
    assert called(choice.tool_calls) == [WEATHER, TIME]


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=4), st.data())
def test_any_split_of_the_arguments_is_the_same_call(arguments: dict[str, Any], data: st.DataObject) -> None:
    said = json.dumps(arguments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=6)))
    parts = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    calls = ToolCalls()
    calls.add(piece("find", parts[0], index=0, id="x"))
    for part in parts[1:]:
        calls.add(piece(None, part, index=0))
    assert called(calls.finished()) == [("find", arguments)]


def test_whole_calls_stay_as_they_are() -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert as_calls(calls) == calls
