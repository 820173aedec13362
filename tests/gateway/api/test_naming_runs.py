"""A run that a client names is the same run when it asks again; one with a deadline answers by then."""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from openai import OpenAI

from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED, body
from tests.servers.replies import Said

ASK = [{"role": "user", "content": "How much is it?"}]
FOUR = "ponder/self-consistency(n=4)/test-model"


def ask(client: OpenAI, name: str, **more: object) -> object:
    headers = {"Idempotency-Key": name}
    return client.chat.completions.create(**{"model": FOUR, "messages": ASK, **more}, extra_headers=headers)


def test_the_same_name_gives_the_same_run(client: OpenAI, server: ChatServer) -> None:
    first, second = ask(client, "one"), ask(client, "one")
    assert first.model_extra["ponder"]["run"] == second.model_extra["ponder"]["run"]
    assert first.choices == second.choices
    assert first.usage == second.usage
    assert len(server.bodies) == 1


def test_it_does_so_as_a_stream(client: OpenAI, server: ChatServer) -> None:
    first = list(ask(client, "streamed", stream=True))
    second = list(ask(client, "streamed", stream=True))
    texts = ["".join(piece.choices[0].delta.content or "" for piece in pieces) for pieces in (first, second)]
    assert texts[0] == texts[1] != ""
    assert len(server.bodies) == 1


def test_another_request_under_the_same_name_is_refused(client: OpenAI) -> None:
    ask(client, "two")
    with pytest.raises(openai.UnprocessableEntityError, match="used for another request") as caught:
        ask(client, "two", temperature=0.1)
    assert caught.value.code == "idempotency_mismatch"


def test_who_asks_while_it_is_under_way_waits_for_it(client: OpenAI, server: ChatServer) -> None:
    server.latency = 1.0
    with ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda _: ask(client, "three"), range(3)))
    assert len({reply.model_extra["ponder"]["run"] for reply in replies}) == 1
    assert len(server.bodies) == 1


def test_one_of_two_who_wait_may_go_away(client: OpenAI, server: ChatServer) -> None:
    server.latency = 2.0
    patient: list[object] = []
    thread = threading.Thread(target=lambda: patient.append(ask(client, "four")))
    thread.start()
    server.wait_for("received")
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.5), "four")
    thread.join()
    assert patient[0].choices[0].message.content
    assert len(server.bodies) == 1


FIRST = {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Answer: 4"}}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 3},
}


def test_a_run_that_was_broken_off_goes_on(client: OpenAI, server: ChatServer) -> None:
    strategy = {"model": "ponder/adaptive-consistency(n=3,threshold=1)/test-model"}
    server.says = lambda body, index: Said(["Answer: 4"], "stop")
    server.faults.extend([body(json.dumps(FIRST).encode()), NAMED["hang"]])
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=2), "five", **strategy)
    server.wait_for("cancelled")  # before that, who asks again would wait for the same call
    reply = ask(client, "five", **strategy)
    assert reply.model_extra["ponder"]["votes"] == {"4": 3.0}
    assert len(server.bodies) == 4  # of three samples one was asked for twice


def test_who_asks_again_at_once_gets_an_answer(client: OpenAI, server: ChatServer) -> None:
    for attempt in range(10):
        server.latency = 0.2
        with contextlib.suppress(openai.APITimeoutError):
            ask(client.with_options(timeout=0.05 + 0.03 * attempt), f"again {attempt}")
        server.latency = 0.0
        assert ask(client, f"again {attempt}").choices[0].message.content


@pytest.mark.parametrize("how", ["header", "field", "budget"])
def test_a_deadline_gives_the_best_answer_by_then(client: OpenAI, server: ChatServer, how: str) -> None:
    server.says = lambda body, index: Said(["Answer: 4"], "stop")
    server.latency = 0.3
    more = {
        "header": {"extra_headers": {"x-ponder-deadline": "1.5"}},
        "field": {"extra_body": {"ponder": {"seconds": 1.5}}},
        "budget": {"extra_body": {"ponder": {"budget": "seconds=1.5"}}},
    }[how]
    model = "ponder/adaptive-consistency(n=64,threshold=1)/test-model"
    reply = client.chat.completions.create(model=model, messages=ASK, **more)
    assert len(server.bodies) < 64, "it has not drawn all that it was told to"
    assert reply.choices[0].message.content == "Answer: 4"
    assert "deadline" in reply.model_extra["ponder"]["stopped_because"]


def test_by_the_deadline_half_a_reply_is_better_than_none(client: OpenAI, server: ChatServer) -> None:
    server.token_latency = 0.2
    server.says = lambda body, index: Said([" word"] * 200, "stop")
    reply = client.chat.completions.create(model=FOUR, messages=ASK, extra_headers={"x-ponder-deadline": "1"})
    [choice] = reply.choices
    assert choice.message.content.startswith(" word")
    assert choice.finish_reason == "length"
    assert reply.usage.completion_tokens > 0


@pytest.mark.parametrize("deadline", ["soon", "0", "-1", "nan", "1e9"])
def test_a_deadline_that_is_none(client: OpenAI, deadline: str) -> None:
    with pytest.raises(openai.BadRequestError, match="x-ponder-deadline"):
        client.chat.completions.create(model=FOUR, messages=ASK, extra_headers={"x-ponder-deadline": deadline})


def test_a_deadline_holds_for_what_passes_through(client: OpenAI, server: ChatServer) -> None:
    server.latency = 30
    with pytest.raises(openai.InternalServerError, match="had no answer by the deadline of the request") as caught:
        client.chat.completions.create(model="test-model", messages=ASK, extra_headers={"x-ponder-deadline": "0.5"})
    assert caught.value.status_code == 504
    server.wait_for("cancelled", seconds=10)


def test_a_run_that_failed_has_its_calls_again(client: OpenAI, server: ChatServer) -> None:
    server.faults.extend([NAMED["500"]] * 4)
    alone = {"model": "ponder/single/test-model"}
    with pytest.raises(openai.InternalServerError):
        ask(client, "unlucky", **alone)
    assert ask(client, "unlucky", **alone).choices[0].message.content


def test_a_run_that_had_no_time_is_begun_anew(client: OpenAI, server: ChatServer) -> None:
    server.latency = 5.0
    headers = {"Idempotency-Key": "hasty"}
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model="ponder/single/test-model", messages=ASK, extra_headers={**headers, "x-ponder-deadline": "0.3"}
        )
    assert caught.value.status_code == 504
    server.latency = 0.0
    first = client.chat.completions.create(model="ponder/single/test-model", messages=ASK, extra_headers=headers)
    second = client.chat.completions.create(model="ponder/single/test-model", messages=ASK, extra_headers=headers)
    assert first.choices == second.choices
    assert first.choices[0].message.content
