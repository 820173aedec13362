"""An upstream that fails is left alone, and what was declared takes its place, visibly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from gateway_process import Gateway, serving

from tests.servers.chat import ChatServer, running
from tests.servers.faults import NAMED, event, stream

ASK = [{"role": "user", "content": "How much is it?"}]

CONFIG = """
[upstreams.main]
url = "{main}"
models = ["test-model"]
fallback = "spare"

[upstreams.spare]
url = "{spare}"
models = ["spare-model"]

[upstreams.alone]
url = "{main}"
models = ["lonely-model"]
fallback = "single"
"""


@pytest.fixture(scope="module")
def spare() -> Iterator[ChatServer]:
    with running() as server:
        yield server


@pytest.fixture
def guarded(server: ChatServer, spare: ChatServer, tmp_path: Path) -> Iterator[Gateway]:
    spare.reset()
    path = tmp_path / "ponder.toml"
    path.write_text(CONFIG.format(main=server.url, spare=spare.url))
    with serving("--config", str(path), store=tmp_path / "runs.db") as gateway:
        yield gateway


@pytest.mark.parametrize("model", ["test-model", "ponder/self-consistency(n=3)/test-model"])
def test_another_upstream_takes_over(guarded: Gateway, server: ChatServer, spare: ChatServer, model: str) -> None:
    server.faults.extend([NAMED["500"]] * 4)
    with guarded.client as client:
        reply = client.chat.completions.with_raw_response.create(model=model, messages=ASK)
    assert reply.headers["x-ponder-fallback"] == "spare; instead-of=main"
    assert reply.parse().choices[0].message.content
    assert {body["model"] for body in spare.bodies} == {"spare-model"}


def test_another_upstream_takes_over_from_one_that_has_too_much_to_do(
    guarded: Gateway, server: ChatServer, spare: ChatServer
) -> None:
    server.faults.extend([NAMED["429"]] * 8)
    with guarded.client as client:
        for _ in range(7):  # more often than a failing upstream is asked: this one is alive
            assert client.chat.completions.create(model="test-model", messages=ASK).choices
        assert (len(spare.bodies), len(server.faults)) == (7, 1)
        server.faults.clear()
        assert client.chat.completions.create(model="test-model", messages=ASK).choices
    assert len(spare.bodies) == 7


def test_the_deadline_is_not_given_twice(guarded: Gateway, server: ChatServer, spare: ChatServer) -> None:
    server.latency = 30
    with guarded.client as client, pytest.raises(openai.InternalServerError, match="by the deadline") as caught:
        client.chat.completions.create(model="test-model", messages=ASK, extra_headers={"x-ponder-deadline": "0.5"})
    assert caught.value.status_code == 504
    assert spare.bodies == []


def test_what_another_upstream_has_answered_is_kept_under_the_clients_name(
    guarded: Gateway, server: ChatServer, spare: ChatServer
) -> None:
    server.faults.extend([NAMED["500"]] * 4)
    asked = {"model": "ponder/self-consistency(n=3)/test-model", "messages": ASK}
    with guarded.client as client:
        first = client.chat.completions.create(**asked, extra_headers={"Idempotency-Key": "kept"})
        calls = len(spare.bodies)
        second = client.chat.completions.create(**asked, extra_headers={"Idempotency-Key": "kept"})
    assert first.model_extra["ponder"]["run"] == second.model_extra["ponder"]["run"]
    assert first.choices == second.choices
    assert len(spare.bodies) == calls


def test_a_request_that_falls_back_is_one_request(server: ChatServer, spare: ChatServer, tmp_path: Path) -> None:
    path = tmp_path / "ponder.toml"
    path.write_text(CONFIG.format(main=server.url, spare=spare.url) + "\n[server.limits]\nrequests_per_minute = 1\n")
    server.faults.append(NAMED["500"])
    with serving("--config", str(path), store=tmp_path / "runs.db") as gateway, gateway.client as client:
        assert client.chat.completions.create(model="test-model", messages=ASK).choices
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="test-model", messages=ASK)


def test_an_error_as_the_first_event_of_a_stream_is_one_of_the_upstream(
    guarded: Gateway, server: ChatServer, spare: ChatServer
) -> None:
    server.faults.append(stream([event({"error": {"message": "out of memory", "code": 500}})]))
    with guarded.client as client:
        pieces = list(client.chat.completions.create(model="test-model", messages=ASK, stream=True))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert len(spare.bodies) == 1


def test_one_pass_takes_over_from_many(guarded: Gateway, server: ChatServer) -> None:
    server.faults.extend([NAMED["503"]] * 4)
    with guarded.client as client:
        reply = client.chat.completions.with_raw_response.create(
            model="ponder/self-consistency(n=3)/lonely-model", messages=ASK
        )
    assert reply.headers["x-ponder-fallback"] == "single; instead-of=alone"
    assert reply.headers["x-ponder-strategy"] == "single"


def test_a_request_that_is_wrong_goes_nowhere_else(guarded: Gateway, server: ChatServer, spare: ChatServer) -> None:
    server.faults.append(NAMED["404"])
    with guarded.client as client, pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="test-model", messages=ASK)
    assert spare.bodies == []
