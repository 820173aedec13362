"""Replies that no server should make, by chance: what they are made of, how they are labelled, how they end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Shape", "shape_of"]

TEXTS = [
    "a",
    "word ",
    " ",
    "\n" * 50,
    "é",
    "🎉",
    "数学",
    "",
    "<think>",
    "</think>",
    "\ud83d",
    "x" * 5000,
    "y z " * 80_000,
]
INDICES = [0, 0, 0, 0, 1, 1, None, "0", 7, -1, True, 10**30, [0]]
FINISHES = [None, None, None, None, None, "stop", "length", "error", "gone_fishing", "", 5]
COUNTS = [0, 1, 7, -3, 10**6, 10**30, True, 2.5, "9", None, [1], {}]
ERRORS: list[Any] = ["no", {}, {"message": 5, "code": 10**30}, {"message": "out of memory", "code": 500}, [1], 7]
CALLS: list[Any] = [
    {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}},
    {"index": 0, "function": {"arguments": "x" * 40}},
    {"function": {"name": None, "arguments": {"a": 1}}},
    {"index": [], "id": 7, "function": None},
    {"index": 10**30, "custom": {"input": "x"}},
    {},
]
RAW = [
    b": still here\n\n", b"\n", b"\r", b"\xef\xbb\xbf", b"event: error\ndata: {}\n\n", b"id: 1\nretry: 5\n\n",
    *(b"data: " + payload + b"\n\n" for payload in (
        b"", b"{", b"[1]", b"null", b"\xff", b"[DONE]", b"[" * 10**5, b"9" * 5000, b'{"choices": "four"}',
        b'{"choices": [4]}', b'{"error": ' + b'{"message": ' * 900 + b"1" + b"}" * 901,
        *(
            b'{"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [{"logprob": ' + number + b"}]}}]}"
            for number in (b"NaN", b"Infinity", b"-Infinity", b"-1e999", b"1" + b"0" * 400, b"true", b"-0.5")
        ),
    )),
]  # fmt: skip
LABELS = ["text/event-stream"] * 5 + ["application/json", "text/plain", "text/html", "", "text/event-stream; charset=x"]
ENDS = ["close", "close", "hang", "for ever", "for ever"]


@dataclass(frozen=True)
class Shape:
    """A reply, in the `pieces` that it travels in; then it closes, hangs, or goes on with `again` for ever.

    It answers a call for `n` choices of `max_tokens`, as a `stream` or not.
    """

    label: str
    pieces: tuple[bytes, ...]
    end: str
    again: bytes
    n: int
    max_tokens: int
    stream: bool

    @property
    def head(self) -> bytes:
        """The first line and the headers; the connection is its own."""
        return f"HTTP/1.1 200 OK\r\ncontent-type: {self.label}\r\nconnection: close\r\n\r\n".encode()

    @property
    def size(self) -> int:
        """Bytes of what comes once."""
        return sum(map(len, self.pieces))


def shape_of(seed: str) -> Shape:
    """The reply of a seed."""
    rng = random.Random(seed)
    n = rng.choice((1, 1, 1, 2))
    if rng.random() < 0.2:
        data = _whole(rng, n)
    else:
        data = b"".join(_part(rng) for _ in range(rng.randint(0, 25)))
        if rng.random() < 0.4:
            data += b"".join(_event({"choices": [_choice(rng, at, "stop")]}) for at in range(n))
    if rng.random() < 0.2:
        data = data[: rng.randint(0, len(data))]
    if rng.random() < 0.1:
        data = b"\xef\xbb\xbf" + data
    return Shape(
        label=rng.choice(LABELS), pieces=tuple(_split(rng, data)), end=rng.choice(ENDS), again=_again(rng), n=n,
        max_tokens=rng.choice((1, 16, 200)), stream=rng.random() < 0.8,
    )  # fmt: skip


def _part(rng: random.Random) -> bytes:
    if rng.random() < 0.12:
        return rng.choice(RAW)
    if rng.random() < 0.03:
        return _event({"error": rng.choice(ERRORS)})
    choices = [] if rng.random() < 0.1 else [_choice(rng, rng.choice(INDICES), rng.choice(FINISHES))]
    usage = {"usage": _usage(rng)} if rng.random() < 0.2 else {}
    return _event({"choices": choices, **usage})


def _again(rng: random.Random) -> bytes:
    delta = {"content": rng.choice(("", " ", "\n\n", "a", "word "))}
    return rng.choice(
        (_event({"choices": [{"index": 0, "delta": delta}]}), b": still here\n\n", b"\n", b" ", b"data: ")
    )


def _choice(rng: random.Random, index: object, finish: object) -> dict[str, Any]:
    kind = rng.random()
    text: Any = rng.choice(TEXTS)
    if kind < 0.04:
        return {"index": index, "error": rng.choice(ERRORS)}
    if kind < 0.08:
        return {
            "index": index,
            "delta": rng.choice(("four", None, [], {"content": 4}, {"content": [{"text": text}, 5]})),
        }
    name = rng.choice(("content", "content", "content", "reasoning_content", "refusal"))
    delta: dict[str, Any] = {name: text}
    if kind > 0.85:
        delta["tool_calls"] = rng.choices(CALLS, k=rng.randint(1, 2))
    return {"index": index, "delta": delta, "finish_reason": finish}


def _usage(rng: random.Random) -> Any:
    counts = {"prompt_tokens": rng.choice(COUNTS), "completion_tokens": rng.choice(COUNTS)}
    details = {"prompt_tokens_details": {"cached_tokens": rng.choice(COUNTS)}, "reasoning_tokens": rng.choice(COUNTS)}
    return rng.choice((counts, {**counts, **details}, "nine", [9], 9))


def _whole(rng: random.Random, n: int) -> bytes:
    choices = []
    for at in range(rng.choice((n, n, n, 0, 5))):
        choice = _choice(rng, at, rng.choice(FINISHES))
        choices.append({**choice, "message": choice.get("delta")})
    usage = {"usage": _usage(rng)} if rng.random() < 0.7 else {}
    return json.dumps({"choices": choices, **usage}).encode()


def _event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _split(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """In pieces of any size, few enough to travel fast."""
    if rng.random() < 0.3:
        yield data
        return
    at = 0
    while at < len(data):
        size = rng.choice((1, 3, 7, 100, 1000, len(data) // 10 + 1))
        yield data[at : at + size]
        at += size
