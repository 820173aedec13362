"""Headers go on by name, in both directions; no others do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ponder.gateway.config.file import check_config
from ponder.gateway.http.headers import passed_on
from tests.gateway.guard.test_served import serving
from tests.servers.chat import ChatServer, running
from tests.servers.faults import chunk, raw, status, stream

ASK = {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}
REPLY = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}}]})
LIMITED = json.dumps({"error": {"message": "slower, please"}})
SENT = {
    "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "X-Real-IP": "10.0.0.1", "Via": "1.1 it",
    "Authorization": "Bearer sk-of-the-client", "Api-Key": "sk-3", "X-Api-Key": "sk-2", "X-Goog-Api-Key": "sk-4",
    "Cookie": "session=1", "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/admin", "X-Forwarded-Host": "evil",
    "Content-Encoding": "gzip", "Content-Type": "application/json; charset=utf-16", "Accept": "text/html",
    "Origin": "https://app.example", "Referer": "https://app.example/secret", "User-Agent": "someone/1",
    "X-Request-Id": "of-the-client", "Idempotency-Key": "order-17", "OpenAI-Organization": "org-1", "Expect": "",
    "X-Ponder-Deadline": "30", "Range": "bytes=0-1", "Upgrade-Insecure-Requests": "1", "X-Tenant": "blue",
}  # fmt: skip
TOLD = {
    "X-Ponder-Usd": "0", "X-Ponder-Run": "forged", "x-ponder-fallback": "forged", "Set-Cookie": "session=1",
    "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic", "Access-Control-Allow-Origin": "*", "Server": "it",
    "X-Accel-Redirect": "/secret", "Location": "https://evil", "Link": "<https://evil>", "Refresh": "0",
    "WWW-Authenticate": "Basic", "Clear-Site-Data": "*", "Strict-Transport-Security": "max-age=1", "Alt-Svc": "h3",
    "OpenAI-Organization": "org-of-the-operator", "X-RateLimit-Remaining-Tokens": "5", "X-Request-Id": "req-1",
    "Cache-Control": "no-store", "X-Cost": "7", "Retry-After-Ms": "0", "X-Should-Retry": "true",
}  # fmt: skip
ALWAYS = {"host", "content-length", "content-type", "accept-encoding", "user-agent"}


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def url(server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("headers") / "gateway.toml"
    path.write_text(f'''
[server]
store = "state.db"
[upstreams.plain]
url = "{server.url}"
models = ["plain"]
[upstreams.open]
url = "{server.url}"
models = ["open"]
request_headers = ["X-Tenant", "authorization", "x-forwarded-for"]
response_headers = ["X-Cost", "x-ratelimit-remaining-tokens"]
''')
    with serving(path) as url:
        yield url


def post(url: str, model: str, **fields: Any) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=60)
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": model, **ASK, **fields}).encode(), SENT)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.headers.items()}, text


def received(server: ChatServer) -> dict[str, str]:
    return {name.lower(): value for name, value in server.headers[-1].items()}


def test_what_a_client_says_beside_its_request_stays_behind(url: str, server: ChatServer) -> None:
    assert post(url, "plain")[0] == 200
    got = received(server)
    assert got.keys() == ALWAYS
    assert (got["content-type"], got["user-agent"]) == ("application/json", "ponder")


def test_with_a_strategy_in_front_too(url: str, server: ChatServer) -> None:
    assert post(url, "ponder/single/plain")[0] == 200
    assert received(server).keys() == ALWAYS


def test_the_operator_names_more(url: str, server: ChatServer) -> None:
    assert post(url, "open")[0] == 200
    assert received(server).keys() == ALWAYS | {"x-tenant", "authorization", "x-forwarded-for"}
    assert received(server)["x-tenant"] == "blue"


MODELS = [("plain", set()), ("open", {"x-cost", "x-ratelimit-remaining-tokens"})]


@pytest.mark.parametrize(("model", "more"), MODELS)
def test_what_an_upstream_says_beside_its_answer_stays_behind(
    url: str, server: ChatServer, model: str, more: set[str]
) -> None:
    server.faults.append(status(200, REPLY, **{**TOLD, "Content-Type": "application/json; charset=latin-1"}))
    code, headers, text = post(url, model)
    assert (code, text) == (200, REPLY)
    assert headers.keys() == {"content-type", "content-length", "date", "x-request-id", "cache-control", *more}
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(("model", "more"), MODELS)
def test_so_it_does_before_a_stream(url: str, server: ChatServer, model: str, more: set[str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in TOLD.items() if name != "Keep-Alive")
    begin = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n{lines}\r\n".encode()
    server.faults.append(raw(begin, chunk("four", finish="stop"), b"data: [DONE]\n\n"))
    code, headers, text = post(url, model, stream=True)
    assert (code, text.count("four")) == (200, 1)
    assert headers.keys() == {"content-type", "transfer-encoding", "date", "x-request-id", "cache-control", *more}


@pytest.mark.parametrize("code", [400, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("wish", ["0", "-5", "1e99", "nan", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "9" * 500, "7"])
def test_an_error_goes_on_with_a_time_to_wait_that_is_one(url: str, server: ChatServer, code: int, wish: str) -> None:
    server.faults.append(status(code, LIMITED, **{**TOLD, "Content-Type": "application/json", "Retry-After": wish}))
    got, headers, text = post(url, "plain")
    assert (got, text) == (code, LIMITED)
    assert 1 <= int(headers.pop("retry-after")) <= (7 if wish == "7" else 4)
    assert headers.keys() == {"content-type", "content-length", "date", "x-request-id", "cache-control"}
    server.faults.append(stream([b"data: [DONE]\n\n"]))  # the breaker forgets
    assert post(url, "plain")[0] in (200, 502)
    assert post(url, "plain")[0] == 200


def test_what_the_connection_names_stays_behind_even_if_it_is_allowed() -> None:
    headers = [(b"a", b"1"), (b"connection", b"close, A"), (b"b", b"2"), (b"b", b"3")]
    assert passed_on(headers, frozenset({b"a", b"b", b"c"})) == [(b"b", b"2"), (b"b", b"3")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('request_headers = ["Host"]', "the header Host cannot go on"),
        ('request_headers = ["transfer-encoding"]', "cannot go on"),
        ('request_headers = ["content-type"]', "cannot go on"),
        ('request_headers = ["a b"]', "is no name of a header"),
        ('request_headers = [""]', "is no name of a header"),
        ('request_headers = ["é"]', "is no name of a header"),
        ("request_headers = [7]", "is no name of a header"),
        ('request_headers = "x-tenant"', "is not a list"),
        ('response_headers = ["X-Ponder-Usd"]', "cannot go on: it is the gateway's own"),
        ('response_headers = ["access-control-allow-origin"]', "cannot go on: it is the gateway's own"),
        ('response_headers = ["Content-Length"]', "cannot go on"),
        ('response_headers = ["connection"]', "cannot go on"),
    ],
)
def test_a_name_that_cannot_go_on_is_told_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[upstreams.it]\nurl = "http://127.0.0.1:9/v1"\n{line}\n')
    [wrong] = check_config(path)
    assert wrong.startswith(f"{path}:3: ")
    assert told in wrong


def test_the_names_may_be_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[upstreams.it]\nurl = "http://127.0.0.1:9/v1"\nrequest_headers = ["X-Tenant"]\n')
    assert check_config(path) == []
