"""``ponder serve`` with a model in the same process: text from weights, no server behind it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator

import openai
import pytest
from gateway_process import Gateway, serving
from openai import OpenAI

from ponder.backends.weights import resolve
from ponder.core.errors import WeightsError

MODEL = "local/smollm2-135m"
ASK = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    try:
        resolve(MODEL)
    except WeightsError as error:
        pytest.skip(f"{MODEL} is neither in the cache nor to be had: {error}")
    with serving("--model", MODEL, store=tmp_path_factory.mktemp("embedded") / "runs.db") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with gateway.client as client:
        yield client


@pytest.mark.parametrize("name", [MODEL, "smollm2-135m"])
def test_its_name_is_one_pass(client: OpenAI, name: str) -> None:
    reply = client.chat.completions.with_raw_response.create(model=name, messages=ASK, max_tokens=8)
    assert reply.headers["x-ponder-strategy"] == "single"
    assert reply.headers["x-ponder-usd"] == "0"
    assert 0 < reply.parse().usage.completion_tokens <= 8


def test_a_strategy_and_a_stream(client: OpenAI) -> None:
    pieces = list(
        client.chat.completions.create(
            model=f"ponder/self-consistency(n=3)/{MODEL}", messages=ASK, max_tokens=12, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert 3 <= pieces[-1].usage.completion_tokens <= 36


def test_a_reply_in_a_form(client: OpenAI) -> None:
    schema = {
        "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"],
        "additionalProperties": False,
    }  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    reply = client.chat.completions.create(
        model=f"ponder/self-consistency(n=3)/{MODEL}", messages=ASK, max_tokens=24, response_format=form
    )
    assert isinstance(json.loads(reply.choices[0].message.content)["ok"], bool)


def test_a_text_completion_has_no_template(client: OpenAI) -> None:
    reply = client.completions.create(model=MODEL, prompt="One, two, three,", max_tokens=8, temperature=0)
    assert "four" in reply.choices[0].text
    assert reply.usage.prompt_tokens < 12


def test_a_stop_string_and_penalties(client: OpenAI) -> None:
    reply = client.completions.create(
        model=MODEL, prompt="One, two, three,", max_tokens=16, temperature=0, stop=[" five"], presence_penalty=0.1
    )
    assert "five" not in reply.choices[0].text
    assert reply.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(("field", "value"), [("tools", [{"type": "function", "function": {"name": "f"}}]), ("odd", 1)])
def test_what_it_cannot_honour_is_refused_by_name(client: OpenAI, field: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError, match=field):
        client.chat.completions.create(model=MODEL, messages=ASK, extra_body={field: value})


@pytest.mark.parametrize("name", [MODEL, f"ponder/self-consistency(n=3)/{MODEL}"])
def test_it_reads_no_images(client: OpenAI, name: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
    with pytest.raises(openai.BadRequestError, match="reads no images, only text"):
        client.chat.completions.create(model=name, messages=messages, max_tokens=8)


def test_a_prompt_that_does_not_fit(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="context holds"):
        client.completions.create(model=MODEL, prompt="word " * 60_000, max_tokens=4)


def test_no_other_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean 'local/smollm2-135m'"):
        client.chat.completions.create(model="smollm2-150m", messages=ASK)


def test_the_printed_line_works(gateway: Gateway) -> None:
    assert gateway.process.stdout is not None
    lines = [gateway.process.stdout.readline() for _ in range(3)]
    command = shlex.split(" ".join(lines).replace("\\\n", " "))
    assert command[0] == "curl"
    done = subprocess.run([*command, "-sS", "--max-time", "200"], capture_output=True, timeout=240)
    assert json.loads(done.stdout)["ponder"]["strategy"] == "self-consistency(n=4)", done
