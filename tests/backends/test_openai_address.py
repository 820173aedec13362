"""Specs, URLs and keys: what a user writes, and what nobody may see."""

from __future__ import annotations

import logging
import pickle
import traceback
from contextlib import aclosing

import pytest

from ponder.backends.openai import OpenAI
from ponder.core.backend import Progress, Request
from ponder.core.errors import BackendError, InvalidOption
from tests.servers import faults
from tests.servers.chat import ChatServer

ASK = Request(messages=({"role": "user", "content": "What is 1+1?"},))


@pytest.mark.parametrize(
    ("spec", "model", "name", "url"),
    [
        ("openai/gpt-4o", "gpt-4o", "openai/gpt-4o", "https://api.openai.com/v1"),
        ("qwen@http://gpu:8000", "qwen", "openai/qwen@http://gpu:8000/v1", "http://gpu:8000/v1"),
        ("openai/qwen@http://gpu:8000/v1/", "qwen", "openai/qwen@http://gpu:8000/v1", "http://gpu:8000/v1"),
        (
            "Qwen/Qwen3-8B@https://[::1]:8/x",
            "Qwen/Qwen3-8B",
            "openai/Qwen/Qwen3-8B@https://[::1]:8/x",
            "https://[::1]:8/x",
        ),
        ("m@http://me:pw@gpu:8000", "m", "openai/m@http://gpu:8000/v1", "http://gpu:8000/v1"),
        ("text/m@http://gpu:8000", "m", "text/m@http://gpu:8000/v1", "http://gpu:8000/v1"),
        ("text/davinci-002", "davinci-002", "text/davinci-002", "https://api.openai.com/v1"),
        ("openai/text/m@http://gpu:8000", "text/m", "openai/text/m@http://gpu:8000/v1", "http://gpu:8000/v1"),
    ],
)
def test_specs(spec: str, model: str, name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    backend = OpenAI.open(spec)
    assert (backend.model, backend.name) == (model, name)
    assert repr(url) in repr(backend)
    assert OpenAI.open(backend.name).name == backend.name


def test_the_environment_may_name_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gpu:8000/v1")
    assert repr(OpenAI.open("openai/m")) == "OpenAI('http://gpu:8000/v1', 'm', server='unknown')"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("openai/", "no model name"),
        ("text/@http://gpu:8000", "no model name; write text/MODEL or text/MODEL@http://host:port/v1"),
        ("@http://gpu:8000", "no model name"),
        ("m@gpu:8000", "after 'm@' comes a URL that starts with http://"),
        ("m@ftp://gpu/v1", "after 'm@' comes a URL that starts with http://"),
        ("m@http://", "'http://' is no URL; it should read like http://localhost:8000/v1"),
        ("m@http://gpu:99999/v1", "its host or port cannot be read"),
        ("m@http://gpu:eight/v1", "its host or port cannot be read"),
        ("m@http://[::1/v1", "its host or port cannot be read"),
        ("m@http://gpu one/v1", "is no URL"),
        ("m@http://gpu/v1?key=secret", "'key' after the ? of a model spec"),
    ],
)
def test_bad_specs_are_one_line(spec: str, says: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        OpenAI.open(spec)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_bad_options() -> None:
    with pytest.raises(InvalidOption, match="concurrency is 0"):
        OpenAI("http://gpu/v1", "m", concurrency=0)
    with pytest.raises(InvalidOption, match="timeout is -1 seconds"):
        OpenAI("http://gpu/v1", "m", timeout=-1)
    with pytest.raises(InvalidOption, match=r"'vlm' is no kind of server; known: unknown, openai, .*vllm"):
        OpenAI("http://gpu/v1", "m", server="vlm")


@pytest.mark.anyio
async def test_the_key_comes_from_the_environment(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "usual-key")
    monkeypatch.setenv("MY_KEY", " my-key\n")
    for name, key in [(None, "usual-key"), ("MY_KEY", "my-key")]:
        async with aclosing(OpenAI(server.url, "m", api_key_env=name)) as backend:
            await backend.generate(ASK, Progress())
            assert server.headers[-1]["Authorization"] == f"Bearer {key}"


@pytest.mark.anyio
async def test_user_and_password_of_the_address_are_sent_and_not_shown(server: ChatServer) -> None:
    async with aclosing(OpenAI.open(f"m@{server.url.replace('//', '//me:p%40ss@')}")) as backend:
        await backend.generate(ASK, Progress())
        assert server.headers[-1]["Authorization"] == "Basic bWU6cEBzcw=="
        server.faults.append(faults.status(401, "bad: bWU6cEBzcw=="))
        with pytest.raises(BackendError, match=r"user and password in its address are not accepted: bad: \*\*\*"):
            await backend.generate(ASK, Progress())
        assert "p@ss" not in repr(backend)
        assert "p%40ss" not in repr(backend) + backend.name


@pytest.mark.anyio
async def test_the_key_is_nowhere_to_be_read(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret-key")
    seen = []
    for name, fault in faults.NAMED.items():
        async with aclosing(OpenAI(server.url, "m", timeout=0.2)) as backend:
            server.faults.append(fault)
            with pytest.raises(BackendError) as caught:
                await backend.generate(ASK, Progress())
            seen += [name, repr(backend), backend.name, repr(caught.value), *traceback.format_exception(caught.value)]
    assert "very-secret-key" not in "".join(seen) + caplog.text
    assert b"very-secret-key" not in pickle.dumps(caught.value.args)


@pytest.mark.anyio
async def test_a_damaged_key_is_found_before_anything_is_sent(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "one\ntwo")
    with pytest.raises(InvalidOption, match="OPENAI_API_KEY holds characters that no key has"):
        await OpenAI(server.url, "m").generate(ASK, Progress())


@pytest.mark.anyio
async def test_the_proxy_of_the_environment_is_used(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    async with aclosing(OpenAI("http://model.invalid/v1", "m")) as backend:
        await backend.generate(ASK, Progress())
    assert server.headers[0]["Host"] == "model.invalid"
