"""Servers that are down, hang, refuse or lie: each is one clear error of the right kind."""

from __future__ import annotations

import socket
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ponder.backends.openai import OpenAI
from ponder.core.backend import Progress, Request
from ponder.core.errors import BackendError, BrokenReply, CallTimeout, RateLimited, Rejected, Unreachable
from tests.servers import faults
from tests.servers.chat import ChatServer
from tests.servers.faults import Fault, chunk, event

pytestmark = pytest.mark.anyio

ASK = Request(messages=({"role": "user", "content": "What is 1+1?"},))
STREAM = replace(ASK, stream=True)
ONCE_UPON = [chunk("Once"), chunk(" upon")]
FINISHED = [*ONCE_UPON, chunk("", finish="stop")]
MESSAGE = b'{"choices": [{"message": {"content": "Hi"}}]}'


async def failure(backend: OpenAI, request: Request = ASK, progress: Progress | None = None) -> BackendError:
    """The error of a call; its text is one line that names the server and the model."""
    with pytest.raises(BackendError) as caught:
        await backend.generate(request, progress or Progress())
    text = str(caught.value)
    assert "\n" not in text
    assert "http://" in text
    assert "'test-model'" in text
    return caught.value


async def test_a_server_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with aclosing(OpenAI(f"http://127.0.0.1:{port}/v1", "test-model")) as backend:
        error = await failure(backend)
    assert type(error) is Unreachable
    assert "Connection refused; is the server running?" in str(error)


async def test_a_host_that_is_not_there() -> None:
    async with aclosing(OpenAI("http://no-such-host.invalid/v1", "test-model")) as backend:
        error = await failure(backend)
    assert type(error) is Unreachable
    assert "no-such-host.invalid" in str(error)


async def test_a_host_that_does_not_accept_connections() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # fill the queue, so that the kernel ignores the next one
            one.setblocking(False)
            one.connect_ex(address)
        async with aclosing(OpenAI(f"http://127.0.0.1:{address[1]}/v1", "test-model", timeout=0.2)) as backend:
            error = await failure(backend)
        for one in waiting:
            one.close()
    assert type(error) is CallTimeout
    assert "0.2 seconds" in str(error)


@pytest.mark.parametrize("fault", [faults.hang, faults.stream(ONCE_UPON, "hang")], ids=["at-once", "midstream"])
async def test_a_server_that_hangs(server: ChatServer, fault: Fault) -> None:
    server.faults.append(fault)
    async with aclosing(OpenAI(server.url, "test-model", timeout=0.3)) as backend:
        error = await failure(backend, STREAM)
    assert type(error) is CallTimeout
    assert "0.3 seconds" in str(error)


BROKEN = {
    "half a JSON": (faults.body(b'{"choices": [{"mess'), "no JSON"),
    "half a reply": (faults.body(b'{"choices": [{"mess', promised=1000), "in the middle"),
    "no UTF-8": (faults.body(b'{"choices": [{"message": {"content": "caf\xe9"}}]}'), "not UTF-8"),
    "a web page": (faults.status(200, "<html>Welcome</html>"), "no JSON"),
    "nothing": (faults.status(200), "no JSON"),
    "nested without end": (faults.body(b"[" * 200_000), "no JSON"),
    "a list": (faults.body(b"[]"), "'choices' is missing"),
    "no choices": (faults.body(b"{}"), "'choices' is missing"),
    "no message": (faults.body(b'{"choices": [{}]}'), "neither 'message' nor 'text'"),
    "too few choices": (faults.body(b'{"choices": []}'), "0 of 1 choices"),
    "a number for a text": (faults.body(b'{"choices": [{"message": {"content": 5}}]}'), "'content' is no text"),
    "50 MB": (faults.body(b'{"choices": "' + b"x" * 50 * 2**20), "more than 34 MB"),
    "an error with status 200": (faults.body(b'{"error": {"message": "out of memory"}}'), "out of memory"),
    "a stream that closes": (faults.stream(ONCE_UPON, "cut"), "in the middle"),
    "a stream that ends early": (faults.stream(ONCE_UPON), "before its end"),
    "a stream that stops": (faults.stream(ONCE_UPON), "before its end"),
    "an unfinished choice": (faults.stream([*ONCE_UPON, b"data: [DONE]\n\n"]), "choice 0 was not finished"),
    "a choice that nobody asked for": (faults.stream([chunk("x", index=7)]), "for choice 7 of 1"),
    "half a JSON in a stream": (faults.stream([*ONCE_UPON, b'data: {"choices": [{\n\n']), "no JSON"),
    "no UTF-8 in a stream": (faults.stream([*ONCE_UPON, b'data: {"a": "\xff"}\n\n']), "not UTF-8"),
    "an error in a stream": (faults.stream([*ONCE_UPON, event({"error": {"message": "KV cache full"}})]), "cache full"),
    "a stream without line ends": (faults.stream([b"data: " + b"x" * 50 * 2**20]), "more than 34 MB"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_reply(server: ChatServer, backend: OpenAI, name: str) -> None:
    fault, says = BROKEN[name]
    server.faults.append(fault)
    error = await failure(backend, STREAM)
    assert type(error) is BrokenReply
    assert says in str(error)


async def test_what_a_broken_stream_had_produced_is_booked(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.stream(ONCE_UPON, "cut"))
    progress = Progress()
    await failure(backend, STREAM, progress)
    assert (progress.texts, progress.tokens) == (["Once upon"], [3])  # nine bytes
    assert progress.prompt_tokens == 3  # 12 bytes, as the server never said
    assert progress.estimated == 6


async def test_too_many_calls(server: ChatServer, backend: OpenAI) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    for value, least, most in [("7", 7, 7), ("0.5", 0.5, 0.5), (soon, 900, 1000)]:
        server.faults.append(faults.status(429, Retry_After=value))
        error = await failure(backend)
        assert isinstance(error, RateLimited)
        assert error.retry_after is not None
        assert least <= error.retry_after <= most
    for value in ("", "soon", "nan"):
        server.faults.append(faults.status(429, Retry_After=value))
        error = await failure(backend)
        assert isinstance(error, RateLimited)
        assert error.retry_after is None


async def test_an_exhausted_account_is_not_asked_again(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.status(429, '{"error": {"message": "You exceeded", "code": "insufficient_quota"}}'))
    assert type(await failure(backend)) is Rejected


@pytest.mark.parametrize("code", [500, 502, 503, 529])
async def test_a_server_in_trouble(server: ChatServer, backend: OpenAI, code: int) -> None:
    server.faults.append(faults.status(code, '{"error": {"message": "Loading model"}}'))
    error = await failure(backend)
    assert type(error) is Unreachable
    assert f"answered {code}: Loading model" in str(error)


async def test_a_missing_key_is_asked_for_by_name(
    server: ChatServer, backend: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.faults.append(faults.status(401, '{"error": {"message": "no key"}}'))
    error = await failure(backend)
    assert type(error) is Rejected
    assert "answered 401; set OPENAI_API_KEY: no key" in str(error)


async def test_a_wrong_key_is_named_but_not_shown(
    server: ChatServer, backend: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "my-secret")
    server.faults.append(faults.status(403, "my-secret is wrong, try Bearer abcdef or sk-proj-1234567890"))
    error = await failure(backend)
    assert type(error) is Rejected
    assert str(error).endswith("the key in OPENAI_API_KEY is not accepted: *** is wrong, try *** or ***")


async def test_an_unknown_model_comes_with_the_known_ones(server: ChatServer) -> None:
    server.faults.append(faults.status(404, '{"error": {"message": "The model `x` does not exist"}}'))
    async with aclosing(OpenAI(server.url, "x", concurrency=1)) as backend:
        with pytest.raises(Rejected, match=r"has no model 'x'; it has test-model$"):
            await backend.generate(ASK, Progress())


async def test_a_wrong_address_gives_the_servers_words(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.status(404, "<html>not here</html>"))
    error = await failure(backend)
    assert type(error) is Rejected
    assert str(error).endswith("answered 404: check the address and the model's name")


async def test_a_refused_request_gives_the_servers_words_shortened(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.status(400, '{"error": {"message": "maximum context length\\nis %s"}}' % ("8" * 999)))
    error = await failure(backend)
    assert type(error) is Rejected
    assert "answered 400: maximum context length is 888" in str(error)
    assert len(str(error)) < 300


async def test_a_redirect_is_not_followed_with_the_key(server: ChatServer, backend: OpenAI) -> None:
    server.faults.append(faults.status(307, Location="http://elsewhere.example/v1"))
    error = await failure(backend)
    assert type(error) is Rejected
    assert "points to http://elsewhere.example/v1" in str(error)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(("code", "kind"), [(429, RateLimited), (400, Rejected), (500, BrokenReply)])
async def test_an_error_inside_a_stream_keeps_its_kind(
    server: ChatServer, backend: OpenAI, code: int, kind: type[BackendError]
) -> None:
    server.faults.append(faults.stream([chunk("Once"), event({"error": {"message": "no", "code": code}})]))
    assert type(await failure(backend, STREAM)) is kind


async def test_after_every_fault_the_backend_still_works(server: ChatServer, backend: OpenAI) -> None:
    for name, fault in faults.NAMED.items():
        if "hang" not in name:
            server.faults.append(fault)
            await failure(backend, STREAM)
    assert (await backend.generate(ASK, Progress())).choices[0].finish == "stop"
