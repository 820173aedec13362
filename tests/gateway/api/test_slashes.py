"""A slash at the end of a path changes nothing, and sends nobody to where the Host header points."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from gateway_process import Gateway

EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Content-Type": "application/json"}
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}


def asked(gateway: Gateway, method: str, path: str, body: object = None) -> tuple[int, str, str]:
    """Status, body and all headers of an answer."""
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body), EVIL)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, str(response.headers)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models", None), ("GET", "/v1/models/test-model", None), ("GET", "/openapi.json", None),
        ("GET", "/ready", None), ("GET", "/metrics", None), ("POST", "/v1/chat/completions", CHAT),
        ("POST", "/v1/chat/completions", {**CHAT, "model": "ponder/single/test-model"}),
        ("POST", "/v1/completions", {"model": "test-model", "prompt": "a"}),
        ("POST", "/v1/embeddings", {"model": "test-model", "input": "a"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["/", "//", "/?x=1", "%2F"])
def test_it_is_served_as_without_one(gateway: Gateway, method: str, path: str, body: object, end: str) -> None:
    status, _, headers = asked(gateway, method, path + end, body)
    assert status == 200
    assert "evil" not in headers


NOWHERE = ["/", "//", "/v1", "/v1/", "/v1//models", "/nothing/", "//e.x/", "/v1/runs/", "/v1/runs/x/", "/%00/"]


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_what_is_not_there_is_not_there(gateway: Gateway, method: str, path: str) -> None:
    status, text, headers = asked(gateway, method, path)
    assert status in (400, 404, 405)
    assert "evil" not in headers
    assert len(text) < 1000


@pytest.mark.parametrize(
    "path",
    ["/v1/" + "x" * 50_000, "/" + "%0a" * 10_000, "/v1/runs/" + "%F0%9F%98%80" * 3000],
    ids=["x", "line", "run"],
)
def test_a_long_path_is_quoted_in_a_line(gateway: Gateway, path: str) -> None:
    status, text, _ = asked(gateway, "GET", path)
    assert status == 404
    assert len(text) < 1000
    assert json.loads(text)["error"]["message"].isprintable()


def test_a_name_of_a_run_is_bounded(gateway: Gateway) -> None:
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=60)
    body = json.dumps({**CHAT, "model": "ponder/single/test-model"})
    for length, expected in ((500, 200), (501, 400), (60_000, 400)):
        connection.request("POST", "/v1/chat/completions", body, {"Idempotency-Key": "k" * length})
        response = connection.getresponse()
        text = response.read()
        assert (response.status, len(text) < 2000) == (expected, True), text
    connection.close()
