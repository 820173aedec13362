"""The command line that ``ponder serve`` prints, as it stands, and as a stream."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
from gateway_process import Gateway


@pytest.fixture(scope="module")
def printed(embedded: Gateway) -> list[str]:
    """The printed line, as a shell reads it."""
    assert embedded.process.stdout is not None
    lines = [embedded.process.stdout.readline() for _ in range(3)]
    return shlex.split("".join(lines).replace("\\\n", " "))


def curl(*arguments: str) -> str:
    """What it prints."""
    done = subprocess.run([*arguments, "-sS", "--fail-with-body"], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def limited(printed: list[str], **fields: object) -> list[str]:
    """The line with more fields, and short replies."""
    *line, body = printed
    return [*line, json.dumps(json.loads(body) | {"max_tokens": 24} | fields)]


def test_a_reply_in_one_piece(printed: list[str]) -> None:
    assert printed[0] == "curl"
    reply = json.loads(curl(*limited(printed)))
    assert reply["choices"][0]["message"]["content"]
    assert reply["ponder"]["strategy"] == "self-consistency(n=4)"


def test_a_stream(printed: list[str]) -> None:
    said = curl(*limited(printed, stream=True), "-N", "-i")
    head, _, body = said.partition("\n\n")
    assert "content-type: text/event-stream" in head
    assert "x-ponder-strategy: self-consistency(n=4)" in head
    first, *between, end, rest = body.split("\n\n")
    assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"
    chunks = [json.loads(event.removeprefix("data: ")) for event in between if not event.startswith(":")]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (end, rest) == ("data: [DONE]", "")
