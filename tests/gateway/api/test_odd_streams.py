"""Upstreams that label a reply wrongly, mark its byte order, or leave out the end of a stream: it passes through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from gateway_process import Gateway, serving

from tests.servers.chat import ChatServer
from tests.servers.faults import Fault, body, chunk, event, stream

ASK: Any = [{"role": "user", "content": "What is 2 + 2?"}]
BOM = b"\xef\xbb\xbf"
DONE = b"data: [DONE]\n\n"
SAID = [chunk("It is "), chunk("4.", finish="stop")]
USAGE = event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}})

REPLY = json.dumps({"choices": [{"index": 0, "message": {"content": "It is 4."}, "finish_reason": "stop"}]}).encode()

CONFIGURATION = """
[upstreams.odd]
url = "{url}"
timeout = 1
"""


@pytest.fixture(scope="module")
def odd(_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that waits a second for its upstream."""
    place = tmp_path_factory.mktemp("odd")
    path = place / "gateway.toml"
    path.write_text(CONFIGURATION.format(url=_server.url))
    with serving("--config", str(path), store=place / "runs.db") as gateway:
        yield gateway


STREAMS: dict[str, Fault] = {
    "a byte-order mark": stream([BOM + SAID[0], SAID[1], DONE]),
    "a byte-order mark in pieces": stream([BOM[:1], BOM[1:] + SAID[0], SAID[1], DONE]),
    "another label": stream([*SAID, DONE], content_type="application/json"),
    "another label and a mark": stream([BOM, *SAID, DONE], content_type="text/plain"),
    "it closes without an end mark": stream(SAID),
    "it breaks without an end mark": stream(SAID, "cut"),
    "it is silent without an end mark": stream(SAID, "hang"),
    "it is silent in an event after the end": stream([*SAID, b"data: {"], "hang"),
    "it goes on after the end mark": stream([b"".join([*SAID, DONE, chunk("No, 5."), b"data: {"])]),
    "the end mark is no whole event": stream([*SAID, b"data: [DONE]"]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_reaches_the_client(odd: Gateway, server: ChatServer, name: str) -> None:
    server.faults.append(STREAMS[name])
    with odd.client as client, client.chat.completions.with_streaming_response.create(
        model="m", messages=ASK, stream=True
    ) as raw:  # fmt: skip
        assert raw.headers["content-type"] == "text/event-stream"
        lines = [line for line in raw.iter_lines() if line]
    pieces = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert lines[-1] == "data: [DONE]"
    assert "".join(piece["choices"][0]["delta"]["content"] for piece in pieces) == "It is 4."


WHOLE: dict[str, Fault] = {
    "a byte-order mark": body(BOM + REPLY),
    "the label of a stream": stream([REPLY]),
    "the label of a stream and a mark": stream([BOM, b"\n", REPLY]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_reply_in_one_piece_reaches_the_client(odd: Gateway, server: ChatServer, name: str) -> None:
    server.faults.append(WHOLE[name])
    with odd.client as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages=ASK)
    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().choices[0].message.content == "It is 4."


def test_usage_that_follows_the_last_choice_is_waited_for(odd: Gateway, server: ChatServer) -> None:
    server.faults.append(stream([*SAID, USAGE], "hang"))
    with odd.client as client:
        options: Any = {"include_usage": True}
        pieces = list(client.chat.completions.create(model="m", messages=ASK, stream=True, stream_options=options))
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 5


def test_a_second_choice_that_has_not_begun_is_waited_for(odd: Gateway, server: ChatServer) -> None:
    server.faults.append(stream(SAID, "hang"))
    with odd.client as client, pytest.raises(openai.APIError, match="no sign of life"):
        list(client.chat.completions.create(model="m", messages=ASK, stream=True, n=2))


def test_an_error_in_the_place_of_a_stream_is_told(odd: Gateway, server: ChatServer) -> None:
    server.faults.append(body(b'{"error": {"message": "out of memory"}}'))
    with odd.client as client, pytest.raises(openai.APIError, match="out of memory"):
        client.chat.completions.create(model="m", messages=ASK, stream=True)
