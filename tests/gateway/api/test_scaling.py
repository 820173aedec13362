"""A strategy in front of a model: better answers in the chat API's own shape, with the bill of all branches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from gateway_process import Gateway, serving
from openai import OpenAI

from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED, status
from tests.servers.replies import Said

ASK = [{"role": "user", "content": "How much is it?"}]
FOUR = "ponder/self-consistency(n=4)/test-model"


def saying(*replies: str) -> object:
    """Replies by the number of the choice."""
    return lambda body, index: Said([replies[index % len(replies)]], "stop")


def test_the_reply_that_won_the_vote_is_returned_whole(client: OpenAI, server: ChatServer) -> None:
    server.says = saying("I guess. Answer: 5", "Two by two. Answer: 4", "Twice two. Answer: 4", "Answer: 3")
    reply = client.chat.completions.create(model=FOUR, messages=ASK)
    assert reply.model == FOUR
    assert reply.object == "chat.completion"
    [choice] = reply.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "Two by two. Answer: 4")
    assert choice.finish_reason == "stop"
    assert reply.model_extra["ponder"]["value"] == "4"
    assert reply.model_extra["ponder"]["votes"] == {"4": 2.0, "5": 1.0, "3": 1.0}


def test_what_a_filter_has_cut_has_no_vote(client: OpenAI, server: ChatServer) -> None:
    cut, whole = Said(["Answer: 5"], "content_filter"), Said(["Answer: 4"], "stop")
    server.says = lambda body, index: whole if index == 3 else cut
    reply = client.chat.completions.create(model=FOUR, messages=ASK)
    assert reply.model_extra["ponder"]["votes"] == {"4": 1.0}
    assert reply.choices[0].finish_reason == "stop"


def test_a_reply_that_a_filter_has_cut_says_so(client: OpenAI, server: ChatServer) -> None:
    server.says = lambda body, index: Said(["Once upon"], "content_filter")
    for model in (FOUR, "ponder/single/test-model"):
        [choice] = client.chat.completions.create(model=model, messages=ASK).choices
        assert (choice.message.content, choice.finish_reason) == ("Once upon", "content_filter")


def test_the_usage_is_that_of_all_branches(client: OpenAI, server: ChatServer) -> None:
    server.says = lambda body, index: Said(["a"] * 5 * (index + 1), "stop")
    usage = client.chat.completions.create(model=FOUR, messages=ASK).usage
    assert usage.completion_tokens == 5 + 10 + 15 + 20
    assert usage.prompt_tokens == 4  # of one call with four choices
    assert usage.prompt_tokens_details.cached_tokens == 1
    assert usage.total_tokens == 54


def test_headers_say_how_the_answer_came_about(client: OpenAI, server: ChatServer) -> None:
    server.says = saying("Answer: 4", "Answer: 5", "Answer: 4", "Answer: 4")
    headers = client.chat.completions.with_raw_response.create(model=FOUR, messages=ASK).headers
    assert headers["x-ponder-strategy"] == "self-consistency(n=4)"
    assert headers["x-ponder-confidence"] == "0.75"
    assert headers["x-ponder-stopped-because"] == "4 of 4 samples complete"
    assert float(headers["x-ponder-overhead-ms"]) > 0
    assert "x-ponder-usd" not in headers  # nobody knows the price: that is not 0


def test_a_run_can_be_looked_up(client: OpenAI, server: ChatServer) -> None:
    reply = client.chat.completions.create(model=FOUR, messages=ASK)
    run = client.get(f"/runs/{reply.model_extra['ponder']['run']}", cast_to=dict[str, object])
    assert run["status"] == "done"
    assert run["strategy"] == "self-consistency(n=4)"
    assert run["bill"]["output_tokens"] == reply.usage.completion_tokens
    assert len(run["branches"]) == 4


@pytest.mark.parametrize("name", ["nothing", "last", "", "%"])
def test_a_run_that_is_not_there(client: OpenAI, name: str) -> None:
    with pytest.raises(openai.NotFoundError):
        client.get(f"/runs/{name}", cast_to=dict[str, object])


def test_free_texts_have_a_reply_too(client: OpenAI, server: ChatServer) -> None:
    odd = "Bananas are yellow and sweet.\n\nThey grow in bunches."
    alike = ["The sea is deep and blue.\n\nIt is salty.", "The sea is blue and wide.\n\nIt is deep."]
    server.says = saying(odd, *alike, "Why the sea is blue nobody knows.\n\nPerhaps it is the sky.")
    reply = client.chat.completions.create(model=FOUR, messages=ASK)
    assert reply.choices[0].message.content in alike
    assert reply.model_extra["ponder"]["confidence"] is None


@pytest.mark.anyio
async def test_the_asynchronous_sdk(gateway: Gateway, server: ChatServer) -> None:
    server.says = saying("Answer: 4")
    async with gateway.async_client as client:
        reply = await client.chat.completions.create(model=FOUR, messages=ASK)
    assert reply.choices[0].message.content == "Answer: 4"


def test_several_turns_and_images_reach_every_branch_as_they_are(client: OpenAI, server: ChatServer) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!", "name": "me"},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
    ]
    client.chat.completions.create(model="ponder/adaptive-consistency(n=3,threshold=1)/test-model", messages=messages)
    assert len(server.bodies) == 3
    assert all(body["messages"] == messages for body in server.bodies)


def test_settings_and_further_fields_reach_the_model(client: OpenAI, server: ChatServer) -> None:
    client.chat.completions.create(
        model=FOUR, messages=ASK, temperature=0.2, top_p=0.5, max_completion_tokens=77, stop="\n\n\n",
        presence_penalty=0.5, logit_bias={"5": -1}, user="u-1", extra_body={"min_p": 0.05},
    )  # fmt: skip
    [body] = server.bodies
    assert (body["temperature"], body["top_p"], body["max_completion_tokens"], body["stop"]) == (
        0.2,
        0.5,
        77,
        ["\n\n\n"],
    )
    assert (body["presence_penalty"], body["logit_bias"], body["user"]) == (0.5, {"5": -1}, "u-1")
    assert body["min_p"] == 0.05
    assert "ponder" not in body


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("model", [FOUR, "test-model"])
def test_the_limit_goes_on_under_the_name_that_the_client_gives_it(
    client: OpenAI, server: ChatServer, model: str, name: str
) -> None:
    client.chat.completions.create(model=model, messages=ASK, extra_body={name: 33})
    for body in server.bodies:
        assert [body.get(one) for one in ("max_tokens", "max_completion_tokens") if one in body] == [33]
        assert name in body


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("401", openai.InternalServerError, "upstream_rejected"),
        ("404", openai.NotFoundError, "upstream_rejected"),
        ("429", openai.RateLimitError, "upstream_rate_limit"),
        ("half-json", openai.InternalServerError, "upstream_error"),
    ],
)
def test_a_model_that_fails_for_good_is_a_typed_error(
    client: OpenAI, server: ChatServer, fault: str, error: type[openai.APIStatusError], code: str
) -> None:
    hurried = {"429": status(429, "Slow down", Retry_After="1")}
    server.faults.extend([(NAMED | hurried)[fault]] * 4)
    with pytest.raises(error) as caught:
        client.chat.completions.create(model="ponder/single/test-model", messages=ASK)
    assert caught.value.code == code
    assert "sk-of-the-gateway" not in str(caught.value)


def test_a_model_that_fails_once_is_asked_again(client: OpenAI, server: ChatServer) -> None:
    server.faults.append(NAMED["503"])
    server.says = saying("Answer: 4")
    reply = client.chat.completions.create(model=FOUR, messages=ASK)
    assert reply.choices[0].message.content == "Answer: 4"
    assert len(server.bodies) == 2


def test_a_client_that_goes_away_cancels_its_run(client: OpenAI, server: ChatServer) -> None:
    server.latency = 30
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model=FOUR, messages=ASK)
    server.wait_for("cancelled", seconds=10)


def test_the_first_requests_come_all_at_once(server: ChatServer, tmp_path: Path) -> None:
    with (
        serving("--model", f"test-model@{server.url}", store=tmp_path / "runs.db") as gateway,
        gateway.client as client,
        ThreadPoolExecutor(8) as pool,
    ):
        replies = list(pool.map(lambda _: client.chat.completions.create(model=FOUR, messages=ASK), range(8)))
    assert all(len(reply.choices) == 1 for reply in replies)
    assert len({reply.id for reply in replies}) == 8
