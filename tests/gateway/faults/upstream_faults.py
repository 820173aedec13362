"""What an upstream can do wrong, and what a client is told then."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers.faults import NAMED, Fault, body, chunk, either, event, hang, raw, status, stream

__all__ = ["CASES", "WAYS", "Case"]

WAYS = ("passed", "streamed", "scaled", "scaled stream")
"""How a request goes: through, or to a strategy; in one piece, or as a stream."""

TEXT = "It is four.\nAnswer: \\boxed{4}"
DONE = b"data: [DONE]\n\n"
# What is sent raw closes its connection, and says so: the next request could be sent on it just then.
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %s\r\n"
JSON, EVENTS = HEAD % b"application/json", HEAD % b"text/event-stream"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b" " * 2**20


@dataclass(frozen=True)
class Case:
    """A fault, and what becomes of it: of a request that passes through, of one that a strategy answers.

    ``"answer"`` is an answer, anything else the code of an error. `streamed` is that of a stream which passes through,
    where it is another. `seconds` is the client's deadline, `timeout` how long the upstream may be silent.
    """

    fault: Fault
    passed: str
    scaled: str
    streamed: str = ""
    seconds: float = 120.0
    timeout: float = 60.0

    def expected(self, way: str) -> str:
        """What becomes of a request that goes one of the `ways`."""
        if way in ("scaled", "scaled stream"):
            return self.scaled
        return (way == "streamed" and self.streamed) or self.passed


def choice(index: int = 0, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": TEXT}
    return {"index": index, "message": message, "finish_reason": "stop", **fields}


def reply(choices: Any = None, **fields: Any) -> bytes:
    """A reply in one piece, with three choices unless it says otherwise."""
    choices = [choice(at) for at in range(3)] if choices is None else choices
    return json.dumps({"id": "1", "object": "chat.completion", "choices": choices, **fields}).encode()


def chunks(*ends: bytes, count: int = 3, finish: str | None = "stop") -> list[bytes]:
    """A stream of `count` choices, and what comes at its end."""
    said = [chunk(TEXT, index=at) for at in range(count)]
    return [*said, *(chunk("", index=at, finish=finish) for at in range(count)), *(ends or [DONE])]


def lie(whole: bytes, streamed: Sequence[bytes]) -> Fault:
    """A complete answer that is not what it should be."""
    return either(body(whole), stream(streamed))


def usage(**counts: Any) -> Fault:
    told = {"prompt_tokens": 5, "completion_tokens": 9, **counts}
    return lie(reply(usage=told), chunks(event({"choices": [], "usage": told}), DONE))


def raw_stream(*pieces: bytes, reset: bool = False) -> Fault:
    """HTTP chunks, byte by byte as they are given here."""
    return raw(EVENTS + CHUNKED, *pieces, reset=reset)


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BROKEN = "upstream_error"
LATE = "upstream_timeout"

CASES: dict[str, Case] = {
    # What it says is no completion.
    "a web page": Case(raw(HEAD % b"text/html" + b"Content-Length: 15\r\n\r\n<html>Hi</html>"), BROKEN, BROKEN),
    "an empty reply": Case(body(b""), BROKEN, BROKEN),
    "an empty stream": Case(stream([]), BROKEN, BROKEN),
    "nothing but the end": Case(stream([DONE]), BROKEN, BROKEN),
    "null": Case(lie(b"null", [b"data: null\n\n", DONE]), BROKEN, BROKEN),
    "a list": Case(lie(b"[1]", [b"data: [1]\n\n", DONE]), BROKEN, BROKEN),
    "no choices": Case(lie(b'{"id": "1"}', [b'data: {"id": "1"}\n\n', DONE]), BROKEN, BROKEN),
    "no choices, and silence": Case(
        either(body(b'{"id": "1"}'), stream([event({"id": "1"})], "hang")), BROKEN, LATE, timeout=1
    ),
    "choices that are none": Case(lie(reply("four"), [event({"choices": "four"}), DONE]), BROKEN, BROKEN),
    "choices that are numbers": Case(lie(reply([4]), [event({"choices": [4]}), DONE]), BROKEN, BROKEN),
    "a message that is text": Case(
        lie(reply([choice(message="four")] * 3), [event({"choices": [{"index": 0, "delta": "four"}]}), DONE]),
        BROKEN, BROKEN,
    ),
    "content that is a number": Case(
        lie(reply([choice(message={"content": 4})] * 3), [chunk(4), DONE]), BROKEN, BROKEN,  # type: ignore[arg-type]
    ),
    "a tool call without a function": Case(
        lie(
            reply([choice(message={"content": TEXT, "tool_calls": [{"id": "1"}]})] * 3),
            [chunk(TEXT, index=at, tool_calls=[{"index": 0, "id": "1"}], finish="stop") for at in range(3)] + [DONE],
        ),
        "answer", BROKEN,
    ),
    "an error with status 200": Case(
        lie(b'{"error": {"message": "no"}}', [event({"error": {"message": "no"}}), DONE]), BROKEN, BROKEN
    ),
    "half a JSON": Case(lie(b'{"choices": [{"ind', [b'data: {"choices": [{"ind\n\n', DONE]), BROKEN, BROKEN),
    "deep JSON": Case(lie(b"[" * 10**5, [b"data: " + b"[" * 10**5 + b"\n\n", DONE]), BROKEN, BROKEN),
    "no UTF-8": Case(
        lie(reply().replace(b"four", b"fo\xff\xfer"), [chunk("four").replace(b"four", b"fo\xff\xfer"), DONE]),
        BROKEN, BROKEN,
    ),
    # It is another completion than the one that was asked for.
    "a choice out of range": Case(
        lie(reply([choice(7)] * 3), [chunk(TEXT, index=-1, finish="stop"), DONE]), "answer", BROKEN
    ),
    "one choice of three": Case(lie(reply([choice()]), chunks(count=1)), "answer", "answer"),  # the rest is asked for
    "the same choice three times": Case(
        lie(reply([choice(0)] * 3), [chunk(TEXT, finish="stop")] * 3 + [DONE]), "answer", "answer"
    ),
    "a choice that never ends": Case(
        lie(reply([choice(at, finish_reason=None) for at in range(3)]), chunks(finish=None)), "answer", BROKEN
    ),
    "usage that does not add up": Case(usage(completion_tokens=0, total_tokens=3), "answer", "answer"),
    "negative usage": Case(usage(prompt_tokens=-7, completion_tokens=-9), "answer", "answer"),
    "huge usage": Case(usage(prompt_tokens=10**30, completion_tokens=10**30), "answer", "answer"),
    "large usage": Case(usage(prompt_tokens=2**62, completion_tokens=2**62), "answer", "answer"),
    "usage in words": Case(usage(prompt_tokens="five", completion_tokens=[9]), "answer", "answer"),
    "a stream that nobody asked for": Case(stream(chunks()), BROKEN, "answer", "answer"),
    "no stream, though asked for": Case(body(reply()), "answer", "answer", BROKEN),
    "half a UTF-16 pair": Case(
        lie(reply([choice(at, message={"content": "\ud83d four"}) for at in range(3)]),
            [chunk("four", finish="stop", index=at).replace(b"four", b"\\ud83d") for at in range(3)] + [DONE]),
        "answer", "answer",
    ),
    # It says that it cannot.
    "401": Case(NAMED["401"], "upstream_rejected", "upstream_rejected"),
    "403": Case(status(403, "no"), "upstream_rejected", "upstream_rejected"),
    "429": Case(status(429, '{"error": {"message": "Slow down"}}'), "429", "upstream_rate_limit"),
    "429 for now": Case(status(429, "no", Retry_After="0"), "upstream_rate_limit", "upstream_rate_limit"),
    "429 for ever": Case(status(429, "no", Retry_After="9" * 30), "upstream_rate_limit", "upstream_rate_limit"),
    "429 until Doomsday": Case(status(429, "no", Retry_After="Doomsday"), "upstream_rate_limit", "upstream_rate_limit"),
    "500": Case(NAMED["500"], BROKEN, BROKEN),
    "500 in the upstream's own words": Case(status(500, '{"error": {"message": "Oops"}}'), "500", BROKEN),
    "502": Case(status(502, "<html>Bad Gateway</html>"), BROKEN, BROKEN),
    "503": Case(NAMED["503"], "503", BROKEN),
    "500 as a stream": Case(
        raw(EVENTS.replace(b"200 OK", b"500 Oops") + b"Content-Length: 6\r\n\r\ndata: "), BROKEN, BROKEN
    ),
    "a redirect": Case(status(307, Location="http://192.0.2.1/v1"), "upstream_rejected", "upstream_rejected"),
    "no content": Case(status(204), "upstream_rejected", "upstream_rejected"),
    # It does not answer, or breaks off.
    "silence": Case(hang, LATE, LATE, timeout=1),
    "silence after the headers": Case(
        either(raw(JSON + b"Content-Length: 99\r\n\r\n", pause=90), raw(EVENTS + CHUNKED, pause=90)),
        LATE, LATE, timeout=1,
    ),
    "silence in the middle": Case(
        either(raw(JSON + b"Content-Length: 99\r\n\r\n{", pause=90), stream([chunk("It is")], "hang")),
        LATE, LATE, timeout=1,
    ),
    "silence after the end": Case(
        either(raw(JSON + CHUNKED + http_chunk(reply()), pause=90), stream(chunks(), "hang")),
        LATE, "answer", streamed="answer", timeout=3,
    ),
    "the connection closes at once": Case(raw(b""), BROKEN, BROKEN),
    "a reset": Case(raw(b"", reset=True), BROKEN, BROKEN),
    "a reset in the middle": Case(
        either(
            raw(JSON + b"Content-Length: 99\r\n\r\n{", pause=0.1, reset=True),
            raw(EVENTS + CHUNKED + http_chunk(chunk("It is")), pause=0.1, reset=True),
        ),
        BROKEN, BROKEN,
    ),
    "cut off": Case(either(body(reply(), promised=10**6), stream([chunk("It is")], "cut")), BROKEN, BROKEN),
    "half an HTTP chunk": Case(
        either(
            raw(JSON + CHUNKED, b"ffff\r\n" + reply()),
            raw_stream(http_chunk(chunk("It is")), b"ffff\r\n" + chunk("fo")[:9]),
        ),
        BROKEN, BROKEN,
    ),
    "a stream that ends before its end": Case(stream([chunk("It is")]), BROKEN, BROKEN),
    "a stream that ends in an event": Case(stream([chunk("It is"), b'data: {"choi']), BROKEN, BROKEN),
    "characters in two pieces": Case(
        either(
            raw(JSON + CHUNKED, *(http_chunk(one) for one in (reply()[:-1], b"}")), b"0\r\n\r\n"),
            raw_stream(*(http_chunk(bytes([one])) for one in b"".join(chunks()).replace(b"four", "fünf".encode())),
                       b"0\r\n\r\n"),
        ),
        "answer", "answer",
    ),
    "a slow reply": Case(
        either(
            raw(JSON + b"Content-Length: 99\r\n\r\n", then=itertools.repeat(b" "), pause=0.2),
            raw(EVENTS + b"\r\n", then=itertools.repeat(b":"), pause=0.2),
        ),
        LATE, LATE, seconds=3,
    ),
    "slow headers": Case(raw(JSON + b"X-A: ", then=itertools.repeat(b"a"), pause=0.2), LATE, LATE, seconds=3),
    # It is no HTTP, or more of it than anybody wants.
    "no HTTP": Case(raw(b"SSH-2.0-OpenSSH_9.6\r\n"), BROKEN, BROKEN),
    "a chunk of no size": Case(raw(JSON + CHUNKED + b"four\r\n"), BROKEN, BROKEN),
    "two lengths": Case(raw(JSON + b"Content-Length: 9\r\nContent-Length: 5\r\n\r\n123456789"), BROKEN, BROKEN),
    "a huge header": Case(raw(JSON + b"X-A: " + b"a" * 10**6 + b"\r\n\r\n"), BROKEN, BROKEN),
    "many headers": Case(raw(JSON, *[b"X-A: a\r\n" * 1000] * 10, b"\r\n"), BROKEN, BROKEN),
    "headers without end": Case(raw(JSON, then=itertools.repeat(b"X-A: a\r\n" * 100)), BROKEN, BROKEN),
    "a header that is none": Case(
        either(
            raw(JSON + b"X-A: a\rb\x01\xff\r\nContent-Length: %d\r\n\r\n" % len(reply()) + reply()),
            raw(EVENTS + b"X-A: a\rb\x01\xff\r\n" + CHUNKED + http_chunk(b"".join(chunks())) + b"0\r\n\r\n"),
        ),
        BROKEN, BROKEN,
    ),
    "a huge body": Case(raw(JSON + b"\r\n{", then=[MEGABYTE] * 40), BROKEN, BROKEN),
    "a body that says it is huge": Case(raw(JSON + b"Content-Length: 99999999999999\r\n\r\n", b"{"), BROKEN, BROKEN),
    "a huge event": Case(raw(EVENTS + b"\r\n" + b'data: "', then=[MEGABYTE] * 40), BROKEN, BROKEN),
    "a stream without end": Case(
        raw(EVENTS + b"\r\n", then=itertools.repeat(chunk("so ")), pause=0.05), BROKEN, "answer", streamed=LATE,
        seconds=3,
    ),
    "a gzip bomb": Case(
        raw(JSON + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(MEGABYTE * 100, 1)), BROKEN, BROKEN
    ),
    "a gzip stream": Case(
        raw(EVENTS + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b": hello\n\n" * 10**6, 1)), BROKEN, BROKEN
    ),
    "a length that is too short": Case(
        raw(EVENTS + b"Content-Length: 20\r\n\r\n" + b"".join(chunks())), BROKEN, BROKEN
    ),
}  # fmt: skip
