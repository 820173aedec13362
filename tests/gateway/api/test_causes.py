"""A run that an upstream fails says what the upstream said, also when that is left alone since."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from gateway_process import serving

from tests.servers.chat import ChatServer
from tests.servers.faults import chunk, status, stream

ASK: Any = [{"role": "user", "content": "What is 2 + 2?"}]
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def alone(server: ChatServer, tmp_path: Any) -> Any:
    """A gateway whose breaker has seen nothing."""
    with serving("--model", f"test-model@{server.url}", store=tmp_path / "runs.db") as gateway:
        yield gateway


def test_a_run_that_meets_the_breaker_tells_what_it_has_met_itself(alone: Any, server: ChatServer) -> None:
    server.faults.extend([status(500, "out of memory")] * 8)
    with alone.client as client:
        for left, told in ((4, "out of memory"), (3, "out of memory"), (3, "failed 5 times in a row")):
            with pytest.raises(openai.InternalServerError, match=told):
                client.chat.completions.create(model="ponder/self-consistency(n=2)/test-model", messages=ASK)
            assert len(server.faults) == left


def test_one_of_two_choices_is_no_failure_of_the_upstream(alone: Any, server: ChatServer) -> None:
    for _ in range(3):
        server.faults.append(stream([chunk("Answer: 4", finish="stop"), chunk("", index=1, finish="error"), DONE]))
        server.faults.extend([stream([chunk("", finish="error"), DONE])] * 3)
        with alone.client as client:
            reply = client.chat.completions.create(
                model="ponder/self-consistency(n=2)/test-model", messages=ASK, extra_headers={"x-ponder-deadline": "60"}
            )
        assert reply.choices[0].message.content == "Answer: 4"
        assert "ended a reply with 'error'" in str(reply.model_extra)
        server.faults.clear()
