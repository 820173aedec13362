"""Requests that are not what they should be: bodies and headers, at random."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

__all__ = ["ASK", "LARGEST", "MODELS", "Rng", "hostile_body", "hostile_request"]

LARGEST = 7_000_000
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}
MODELS = ("m", "ponder/single/m")

Rng = random.Random

PIECES = ("x", "é", "\u2028", '"', "\\", "\n", "\0", "😀", "a, b: [c] {d} ", '","', "ponder/", "Answer: 4")

SMALL = ("1", '""', "[]", "{}", "null", "true", '"x"', '{"type":"text","text":"x"}', "[1]", "1.5")

NAMES = (
    "model", "messages", "prompt", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "best_of",
    "temperature", "top_p", "seed", "stop", "logit_bias", "user", "metadata", "tools", "tool_choice", "response_format",
    "reasoning_effort", "ponder", "n_predict", "functions", "modalities", "prediction", "input", "of_a_vendor",
)  # fmt: skip

PLACES: Sequence[str] = (
    '"messages":[{"role":%s,"content":"x"}]', '"messages":[{"role":"user","content":%s}]',
    '"messages":[{"role":"user","content":[{"type":%s,"text":"x"}]}]',
    '"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":%s}}]}]',
    '"messages":[{"role":"tool","tool_call_id":%s,"content":"x"}]', '"messages":[{"role":"user","content":"x","y":%s}]',
    '"ponder":{"budget":%s}', '"ponder":{"strategy":%s}', '"ponder":{"verifier":%s}', '"ponder":{"seconds":%s}',
    '"ponder":{"n":%s}', '"ponder":{"effort":%s}', '"stream":true,"stream_options":{"include_usage":%s}',
    '"tools":[{"type":"function","function":{"name":%s}}]', '"response_format":{"type":%s}', '"stop":[%s]',
    '"tools":[{"type":"function","function":{"name":"f","parameters":%s}}]', '"logit_bias":{"1":%s}', '"x":[[[%s]]]',
)  # fmt: skip

HEADERS = (
    b"Idempotency-Key", b"X-Ponder-Deadline", b"Origin", b"Accept", b"Content-Type", b"Traceparent", b"Tracestate",
    b"X-Forwarded-For", b"Cookie", b"User-Agent", b"X-Api-Key", b"Authorization", b"Connection", b"Host", b"Baggage",
    b"Content-Length", b"Transfer-Encoding", b"Expect", b"Upgrade", b"TE", b"X-HTTP-Method-Override", b"Range",
    b"Content-Encoding", b"Access-Control-Request-Method", b"Accept-Encoding",
)  # fmt: skip

VALUES = (
    b"", b"0", b"-1", b"1e9", b"nan", b"inf", b"close", b"keep-alive, x-api-key", b"chunked", b"gzip", b"DELETE",
    b"100-continue", b"websocket", b"*/*;q=9", b"Basic eDp5", b"0x10", b"\x0b", b"evil.example",
)  # fmt: skip


def size(rng: Rng, most: int = LARGEST) -> int:
    """Any order of magnitude as often as any other."""
    return min(most, int(2 ** rng.uniform(3, 23)))


def text(rng: Rng) -> str:
    """A long text."""
    piece = rng.choice(PIECES)
    return piece * (size(rng) // len(json.dumps(piece)) + 1)


def number(rng: Rng) -> str:
    """A number that few read."""
    many = "9" * size(rng, 1_000_000)
    return rng.choice([many, f"-{many}", f"0.{many}", f"1e{many[:4]}", f"1e-{many}", "NaN", "-Infinity", "1E400"])


def entries(rng: Rng, one: str) -> str:
    """A list of many."""
    return f"[{','.join([one] * (size(rng) // (len(one) + 1)))}]"


def members(rng: Rng, one: str) -> str:
    """An object of many."""
    count = size(rng, 3_000_000) // (len(one) + 8)
    return "{" + ",".join(f'"{at}":{one}' for at in range(count)) + "}"


def value(rng: Rng) -> str:
    """JSON, or nearly, for the place of any value."""
    small, deep = rng.choice(SMALL), rng.randrange(1, 100_000)
    makers = (
        lambda: json.dumps(text(rng)),
        lambda: json.dumps(text(rng), ensure_ascii=False),
        lambda: f"[{json.dumps(text(rng))}]",
        lambda: f"{{{json.dumps(text(rng))}:1}}",
        lambda: number(rng),
        lambda: entries(rng, small),
        lambda: members(rng, small),
        lambda: "[" * deep + "]" * deep,
        lambda: '{"a":' * deep + "1" + "}" * deep,
        lambda: f'{{"a":{small},"a":{small}}}',
        lambda: rng.choice([small, '"\\ud800"', "", "'x'", "x"]),
    )
    return rng.choice(makers)()


def spelled(rng: Rng, name: str) -> str:
    """A name as some servers would read it, too."""
    escaped = f"\\u{ord(name[0]):04x}{name[1:]}"
    return rng.choice([name, name.upper(), name.title(), name.replace("_", "-"), f"{name}\\u0000", escaped])


def damaged(rng: Rng, data: bytes) -> bytes:
    """With something else in one place."""
    at = rng.randrange(len(data))
    other = rng.choice([b"", b"\xff", b"\0", b"}", b"\xef\xbb\xbf", b"/**/", bytes([rng.randrange(256)])])
    return data[:at] + other + data[at + rng.randrange(2) :]


def hostile_body(rng: Rng, model: str) -> bytes:
    """A body that is not what it should be."""
    name, kind = rng.choice(NAMES), rng.randrange(6)
    fields = {"model": json.dumps(model), "messages": json.dumps(ASK["messages"])}
    if kind <= 1:
        fields[name] = value(rng)
    pairs = [f'"{key}":{one}' for key, one in fields.items()]
    if kind == 2:
        pairs.append(rng.choice(PLACES) % value(rng))
    elif kind == 3:
        pairs.insert(rng.randrange(3), f'"{spelled(rng, name)}":{value(rng)}')
    elif kind == 4:
        pairs = [pairs[0], rng.choice(PLACES) % value(rng)]
    data = f"{{{','.join(pairs)}}}".encode()
    return damaged(rng, data) if kind == 5 else data


def header(rng: Rng, key: str) -> bytes:
    """One header."""
    long = rng.choice([b"x", b"9", b"\xe9", b",", b" ", b'"', b"a=b;"]) * size(rng, 70_000)
    name = rng.choice([*HEADERS, b"X-" + b"x" * size(rng, 9000)])
    return name + b": " + rng.choice([long, *VALUES, b"Bearer " + key.encode()])


def hostile_request(rng: Rng, key: str) -> bytes:
    """A request with odd headers, and a body that is right."""
    body = json.dumps({"model": rng.choice(MODELS), **ASK}).encode()
    lines = [b"Host: it", b"Content-Length: %d" % len(body), b"Authorization: Bearer " + key.encode()]
    lines += [header(rng, key) for _ in range(rng.choice([1, 1, 2, 3, 300]))]
    rng.shuffle(lines)
    path = rng.choice(
        [b"/v1/chat/completions", b"/v1/chat/completions/", b"//e.x/", b"/v1/" + b"x" * size(rng, 70_000)]
    )
    return b"\r\n".join([b"POST %b HTTP/1.1" % path, *lines, b"Connection: close", b"", body])
