"""What passes through is counted as everywhere: what an upstream does not tell, or cannot be, is estimated."""

from __future__ import annotations

import itertools
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from gateway_process import Gateway, serving

from ponder.backends.openai.counts import ceiling
from tests.servers.chat import ChatServer
from tests.servers.faults import Fault, body, chunk, event, raw, stream, text_chunk

ASK: Any = [{"role": "user", "content": "What is 2 + 2?"}]
DONE = b"data: [DONE]\n\n"
TEXT = "word " * 80
TOKENS = 100
"""Of its 400 bytes."""

CONFIGURATION = """
[upstreams.odd]
url = "{url}"
price = "10/10"
timeout = 1
"""


@pytest.fixture
def odd(server: ChatServer, tmp_path: Any) -> Iterator[Gateway]:
    """A gateway that waits a second for its upstream, and has counted nothing."""
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIGURATION.format(url=server.url))
    with serving("--config", str(path), store=tmp_path / "runs.db") as gateway:
        yield gateway


def counted(gateway: Gateway, kind: str, requests: int = 1) -> int:
    """The tokens of a kind that are booked, once so many requests are: that is a moment after their answers."""
    for _ in range(1000):
        with urllib.request.urlopen(gateway.url.removesuffix("/v1") + "/metrics", timeout=60) as response:
            page = response.read().decode()
        if total(page, "requests", 'endpoint="/v1/c') >= requests:
            return total(page, "tokens", f'kind="{kind}"')
        time.sleep(0.01)
    raise AssertionError(page)


def total(page: str, name: str, label: str) -> int:
    return sum(int(float(n)) for n in re.findall(rf"^ponder_{name}_total{{.*{label}.*}} (\S+)$", page, re.MULTILINE))


def whole(usage: object) -> Fault:
    choice = {"index": 0, "message": {"content": TEXT}, "finish_reason": "stop"}
    return body(json.dumps({"choices": [choice], "usage": usage}).encode())


def streamed(usage: object) -> Fault:
    return stream([chunk(TEXT), chunk("", finish="stop"), event({"choices": [], "usage": usage}), DONE])


LIES: dict[str, object] = {
    "nothing": None,
    "negative": {"prompt_tokens": -7, "completion_tokens": -9},
    "zero": {"prompt_tokens": 0, "completion_tokens": 0},
    "huge": {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    "a million": {"prompt_tokens": 10**6, "completion_tokens": 10**6},
    "truth values": {"prompt_tokens": True, "completion_tokens": True},
    "words": "ninety",
}


def test_what_cannot_be_is_estimated_and_marked(odd: Gateway, server: ChatServer) -> None:
    requests = 0
    with odd.client as client:
        for name, make in itertools.product(LIES, (whole, streamed)):
            server.faults.append(make(LIES[name]))
            reply: Any = client.chat.completions.create(
                model="m", messages=ASK, max_tokens=200, stream=make is streamed
            )
            if make is streamed:
                list(reply)
            requests += 1
            assert counted(odd, "output", requests) == requests * TOKENS, name
            assert counted(odd, "estimated") == counted(odd, "prompt") + requests * TOKENS, name
        before = counted(odd, "estimated")
        server.faults.append(streamed({"prompt_tokens": 9, "completion_tokens": 77}))
        list(client.chat.completions.create(model="m", messages=ASK, max_tokens=200, stream=True))
    assert counted(odd, "output", requests + 1) == requests * TOKENS + 77
    assert counted(odd, "estimated") == before


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"

ENDLESS = {
    "words": chunk("word "),
    "large pieces": chunk("word " * 10_000),
    "white space": chunk("\n\n"),
    "reasoning": chunk("", reasoning_content="hm, "),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_stream_without_end_is_cut_and_says_so(odd: Gateway, server: ChatServer, name: str) -> None:
    server.faults.append(raw(HEAD, chunk("Once"), then=[ENDLESS[name]] * 4000))
    with odd.client as client:
        pieces = list(client.chat.completions.create(model="m", messages=ASK, max_tokens=50, stream=True))
    assert pieces[-1].choices[0].finish_reason == "length"
    assert pieces[0].choices[0].delta.content == "Once"
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert len(said) <= 4 * ceiling(50)
    assert 1 <= counted(odd, "output") <= ceiling(50)
    assert counted(odd, "output") >= len(said) // 4


def test_a_text_completion_is_cut_at_the_reservation_where_the_client_sets_no_limit(
    server: ChatServer, tmp_path: Any
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIGURATION.format(url=server.url) + "max_tokens = 40\n")
    server.faults.append(raw(HEAD, then=[text_chunk("word ")] * 4000))
    with serving("--config", str(path), store=tmp_path / "runs.db") as gateway, gateway.client as client:
        pieces = list(client.completions.create(model="m", prompt="Once", stream=True))
        assert pieces[-1].choices[0].finish_reason == "length"
        assert counted(gateway, "output") == ceiling(40)


@pytest.mark.parametrize("life", [b": still here\n\n", chunk(""), chunk(" "), event({"choices": []})])
def test_signs_of_life_alone_come_to_an_end(odd: Gateway, server: ChatServer, life: bytes) -> None:
    server.faults.append(raw(HEAD, chunk("Once"), then=[life] * 10_000, pause=0.01))
    with odd.client as client, pytest.raises(openai.APIError, match="nothing to read for 1 seconds"):
        list(client.chat.completions.create(model="m", messages=ASK, stream=True))
    assert counted(odd, "output") >= 1
