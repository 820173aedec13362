"""Failures on real sockets: what is tried again, what is not, and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from ponder.api import asolve
from ponder.backends.openai import OpenAI
from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.errors import BackendError, CallTimeout, Rejected, Unreachable
from tests.servers.chat import ChatServer, running
from tests.servers.faults import NAMED, Fault, chunk, raw, status

CAPABILITIES = frozenset({Capability.SAMPLE, Capability.CANCEL, Capability.SEED})


def ask(url: str, strategy: str = "single", timeout: float = 30.0, concurrency: int = 16, **options: Any) -> Answer:
    """One question to the server at `url`."""

    async def main() -> Answer:
        backend = OpenAI(
            url, "test-model", server="vllm", capabilities=CAPABILITIES, timeout=timeout, concurrency=concurrency
        )
        try:
            return await asolve("What is 6 * 7?", strategy=strategy, model=backend, seed=1, **options)
        finally:
            await backend.aclose()

    return asyncio.run(main())


@contextlib.contextmanager
def faulty(*faults: Fault) -> Iterator[ChatServer]:
    """A server whose next calls meet these faults."""
    server = ChatServer()
    server.faults.extend(faults)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def untroubled() -> Answer:
    with running() as server:
        return ask(server.url)


@pytest.mark.parametrize(
    "faults", [["500"], ["503", "500"], ["half-json"], ["not-utf8"], ["503", "half-json", "500"]], ids=" then ".join
)
def test_what_may_pass_is_tried_again_and_counted(faults: list[str], untroubled: Answer) -> None:
    with faulty(*(NAMED[name] for name in faults)) as server:
        answer = ask(server.url)
    assert (answer.value, answer.text) == (untroubled.value, untroubled.text)
    assert len(server.bodies) == answer.bill.calls == 1 + len(faults)
    assert answer.bill.retries == answer.bill.failed_calls == len(faults)
    assert answer.bill.total_tokens == untroubled.bill.total_tokens


def test_a_server_that_hangs_is_given_up_on_and_tried_again(untroubled: Answer) -> None:
    with faulty(NAMED["hang"]) as server:
        answer = ask(server.url, timeout=0.5)
    assert answer.text == untroubled.text
    assert (answer.bill.calls, answer.bill.retries) == (2, 1)


def test_what_a_broken_stream_had_said_is_paid_for_and_thrown_away(untroubled: Answer) -> None:
    with faulty(NAMED["cut-midstream"]) as server:
        answer = ask(server.url, watch=lambda *_: None)
    assert answer.text == untroubled.text
    assert (answer.bill.calls, answer.bill.retries, answer.bill.failed_calls) == (2, 1, 1)
    assert answer.bill.discarded_tokens == 3, '"Once upon"'
    assert answer.bill.total_tokens == untroubled.bill.total_tokens + 3
    assert answer.bill.prompt_tokens > untroubled.bill.prompt_tokens


def test_retry_after_is_waited_for() -> None:
    opens: list[float] = []

    async def limited(request: web.Request) -> web.StreamResponse:
        """Sends everybody away for two seconds, however often they come."""
        opens[:] = opens or [time.monotonic() + 1.9]
        if time.monotonic() >= opens[0]:
            return await server._answer(request, await request.json())
        server.faults.append(limited)
        return await status(429, "slow down", Retry_After="2")(request)

    with faulty(limited) as server:
        answer = ask(server.url)
    assert answer.value is not None
    assert (answer.bill.calls, answer.bill.retries) == (2, 1), "it came back too early"


def test_who_asks_for_more_patience_than_we_have_is_not_waited_for() -> None:
    with faulty(status(429, "come back tomorrow", Retry_After="86400")) as server:
        with pytest.raises(BackendError, match="429, too many calls: come back tomorrow") as error:
            ask(server.url)
        assert len(server.bodies) == 1
    assert error.value.bill is not None
    assert (error.value.bill.calls, error.value.bill.failed_calls) == (1, 1)


def test_a_refused_key_ends_the_run_at_once() -> None:
    with faulty(*[NAMED["401"]] * 4) as server:
        with pytest.raises(Rejected, match="401"):
            ask(server.url, "self-consistency(n=4)")
        assert len(server.faults) == 4 - len(server.bodies), "no call was tried again"


def test_a_dead_server_ends_the_run_after_a_few_attempts() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(Unreachable, match="cannot reach") as error:
        ask(url, "adaptive-consistency")
    assert error.value.bill is not None
    assert (error.value.bill.calls, error.value.bill.retries) == (4, 3)


def test_one_sample_that_fails_does_not_sink_the_run() -> None:
    def unlucky(body: dict[str, Any]) -> bool:
        return bool(body["seed"] == seeds[1])

    with running() as untroubled:
        ask(untroubled.url, "self-consistency(n=4)")
        seeds = [body["seed"] for body in untroubled.bodies]

    class Unlucky(ChatServer):
        async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return await (NAMED["500"](request) if unlucky(body) else super()._answer(request, body))

    with running(Unlucky()) as server:
        answer = ask(server.url, "self-consistency(n=4)")
    assert answer.value is not None
    assert sorted(str(branch.ending) for branch in answer.branches) == ["failed", "stop", "stop", "stop"]
    assert [note.split(":")[0] for note in answer.notes] == ["1 of 4 samples failed"]
    assert (answer.bill.calls, answer.bill.retries) == (3 + 4, 3)


def trickling() -> Fault:
    """A word, and then white space for ever."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return raw(head, chunk("Once"), then=itertools.repeat(chunk("")), pause=0.005)


def test_a_run_without_a_time_limit_ends_though_a_server_trickles_for_ever() -> None:
    with (
        faulty(*[trickling() for _ in range(4)]) as server,
        pytest.raises(CallTimeout, match="nothing to read") as told,
    ):
        ask(server.url, timeout=0.3)
    assert server.url in str(told.value)
    bill = told.value.bill
    assert bill is not None
    assert (bill.calls, bill.failed_calls, bill.output_tokens) == (4, 4, 4)  # what came is paid for
    assert bill.estimated_tokens == 4 + bill.prompt_tokens


def test_a_sample_that_trickles_for_ever_costs_the_others_nothing() -> None:
    with faulty(*[trickling() for _ in range(4)]) as server:
        answer = ask(server.url, "self-consistency(n=5)", timeout=0.3, concurrency=1)
    assert answer.value is not None
    assert [branch.ending for branch in answer.branches].count("failed") == 1
    assert "nothing to read" in str(answer.notes)
