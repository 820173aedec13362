"""A model without a strategy passes through: what was sent reaches the upstream, what it says comes back."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from gateway_process import Gateway, serving
from openai import OpenAI

from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED, body, chunk, status, stream

ASK = [{"role": "user", "content": "Hello"}]


def post(url: str, data: bytes, **headers: str) -> tuple[bytes, dict[str, str]]:
    """One request, byte by byte as it is given here."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=60)
    connection.request("POST", f"{parts.path}/chat/completions", data, headers)
    response = connection.getresponse()
    received = response.read(), {name.lower(): value for name, value in response.headers.items()}
    connection.close()
    return received


def test_a_reply_comes_back_as_the_upstream_gave_it(gateway: Gateway, server: ChatServer) -> None:
    data = json.dumps({"model": "test-model", "messages": ASK, "seed": 4}).encode()
    assert post(gateway.url, data)[0] == post(server.url, data)[0]


def test_a_stream_comes_back_as_the_upstream_gave_it(gateway: Gateway, server: ChatServer) -> None:
    data = json.dumps({"model": "test-model", "messages": ASK, "seed": 4, "stream": True}).encode()
    passed, headers = post(gateway.url, data)
    assert passed == post(server.url, data)[0]
    assert headers["content-type"] == "text/event-stream"


def test_fields_that_nobody_knows_reach_the_upstream(client: OpenAI, server: ChatServer) -> None:
    client.chat.completions.create(
        model="a/model:nobody-knows", messages=ASK, n=2, extra_body={"min_p": 0.1, "reasoning_effort": "frantic"}
    )
    [received] = server.bodies
    assert received == {
        "model": "a/model:nobody-knows", "messages": ASK, "n": 2, "min_p": 0.1, "reasoning_effort": "frantic",
    }  # fmt: skip


def test_the_clients_key_and_connection_stay_behind(gateway: Gateway, server: ChatServer) -> None:
    data = json.dumps({"model": "test-model", "messages": ASK}).encode()
    sent = {"Authorization": "Bearer sk-of-the-client", "X-Api-Key": "sk-2", "TE": "trailers", "tracestate": "a=b"}
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    post(gateway.url, data, **sent, Connection="close, Tracestate", **trace)
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["authorization"] == "Bearer sk-of-the-gateway"
    assert headers["traceparent"] == trace["traceparent"]
    assert headers.keys() == {
        "host", "content-length", "content-type", "accept-encoding", "user-agent", "authorization", "traceparent"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (NAMED["401"], openai.InternalServerError),  # it is the gateway's key that is wrong, not the client's
        (NAMED["404"], openai.NotFoundError),
        (NAMED["429"], openai.RateLimitError),
        (NAMED["500"], openai.InternalServerError),
        (NAMED["half-json"], openai.InternalServerError),
        (NAMED["not-utf8"], openai.InternalServerError),
        (body(b'{"choices": []}', promised=1000), openai.InternalServerError),
        (status(302, Location="http://192.0.2.1/"), openai.APIStatusError),
    ],
)
def test_every_fault_of_the_upstream_is_a_typed_error(
    client: OpenAI, server: ChatServer, fault: object, error: type[Exception]
) -> None:
    server.faults.append(fault)
    with pytest.raises(error):
        client.chat.completions.create(model="test-model", messages=ASK)


def test_the_wish_when_to_try_again_is_passed_on(client: OpenAI, server: ChatServer) -> None:
    server.faults.append(NAMED["429"])
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="test-model", messages=ASK)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("half", [[chunk("Once")], [chunk("Once"), b'data: {"choices": [{"del']])
def test_a_stream_that_breaks_off_ends_in_an_error(client: OpenAI, server: ChatServer, half: list[bytes]) -> None:
    server.faults.append(stream(half, "cut"))
    pieces = client.chat.completions.create(model="test-model", messages=ASK, stream=True)
    assert next(pieces).choices[0].delta.content == "Once"
    with pytest.raises(openai.APIError, match="middle of its reply"):
        next(pieces)


def test_a_client_that_goes_away_cancels_the_call(client: OpenAI, server: ChatServer) -> None:
    server.token_latency = 0.05
    with client.chat.completions.create(model="test-model", messages=ASK, stream=True) as pieces:
        next(iter(pieces))
    server.wait_for("cancelled", seconds=10)


def test_a_client_that_does_not_wait_for_a_whole_reply_cancels_it(client: OpenAI, server: ChatServer) -> None:
    server.latency = 30
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model="test-model", messages=ASK)
    server.wait_for("cancelled", seconds=10)


def test_the_operator_is_told_where_an_upstream_is_that_is_not_there_and_the_client_is_not(tmp_path: Path) -> None:
    with (
        serving("--model", "m@http://127.0.0.1:9/v1", store=tmp_path / "runs.db") as gateway,
        gateway.client as client,
        pytest.raises(openai.InternalServerError, match=r"cannot reach the upstream .*is the server running") as caught,
    ):
        client.chat.completions.create(model="m", messages=ASK)
    assert "127.0.0.1:9" not in str(caught.value)
    assert "cannot reach http://127.0.0.1:9/v1" in (tmp_path / "runs.log").read_text()
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_error"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"stream": "false"}, "neither true nor false"),
        ({"max_tokens": 10**15}, "is not a whole number from 1 to"),
        ({"max_tokens": 5, "n_predict": 99_999}, "say different things"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "say different things"),
    ],
)
def test_what_servers_read_in_different_ways_is_refused(
    client: OpenAI, server: ChatServer, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        client.chat.completions.create(model="test-model", messages=ASK, extra_body=fields)
    assert server.bodies == []


PRICED = """
[upstreams.vllm]
url = "{url}"
price = "10/10"
"""


def test_a_stream_that_costs_dollars_is_counted_by_the_upstream(server: ChatServer, tmp_path: Path) -> None:
    path = tmp_path / "ponder.toml"
    path.write_text(PRICED.format(url=server.url))
    with serving("--config", str(path), store=tmp_path / "runs.db") as gateway:
        data = json.dumps({"model": "test-model", "messages": ASK, "stream": True, "seed": 4}).encode()
        passed, _ = post(gateway.url, data)
    [received] = server.bodies
    assert received["stream_options"] == {"include_usage": True}
    assert b'"choices": [{' in passed
    assert b'"choices": []' not in passed
    assert passed.endswith(b"data: [DONE]\n\n")
