"""A chat-completions server that answers after a fixed time and does nothing else.

It speaks HTTP by hand, so that it spends far less CPU per call than any client: it must not be what is measured.
At most `slots` requests are under way at once; the others wait their turn. A reply is one piece, also where a stream is
asked for; that of the model "words" is a stream, which begins after the same time and has an event every 5 ms. `GET
/stats` tells what it has done.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

__all__: list[str] = []

_ITEM = re.compile(rb"item (\d{4})")
_N = re.compile(rb'"n": ?(\d+)')
_STREAMS = re.compile(rb'"model": ?"words"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GAP = 0.005
_CHUNK = b"%x\r\n%b\r\n"
# The first reply is wrong and three in five are right, so only a client that really votes gets every answer right.
_LEADING_DIGIT = "21131"
# Replies that differ in the answer differ in their wording too: optillm votes by the likeness of whole texts.
_REASONING = {
    "1": "First I note what is given, then I work through it one step at a time and check each step. " * 4,
    "2": "Suppose the warehouse starts empty; adding up all crates before any sale is made gives this. " * 4,
    "3": "A third sold every evening leaves two thirds, which multiplied over three days amounts to it. " * 4,
}


@dataclass(slots=True)
class Served:
    """What the server has done since it started; `late_s` is how long replies were overdue, in seconds."""

    requests: int = 0
    choices: int = 0
    peak: int = 0
    late_s: float = 0.0


@dataclass(slots=True)
class Model:
    """The pretended model: replies after `latency` seconds, `slots` requests at a time."""

    latency: float
    slots: int
    loop: asyncio.AbstractEventLoop
    busy: int = 0
    waiting: deque[tuple[Connection, bytes]] = field(default_factory=deque)
    asked: Counter[bytes] = field(default_factory=Counter)
    served: Served = field(default_factory=Served)
    cpu_before: float = field(default_factory=time.process_time)

    def take(self, connection: Connection, body: bytes) -> None:
        if self.busy == self.slots:
            self.waiting.append((connection, body))
            return
        self.busy += 1
        self.served.peak = max(self.served.peak, self.busy)
        due = self.loop.time() + self.latency
        self.loop.call_at(due, self._reply, connection, body, due)

    def _reply(self, connection: Connection, body: bytes, due: float) -> None:
        self.served.late_s += self.loop.time() - due
        self.served.requests += 1
        if _STREAMS.search(body):
            self.served.choices += 1
            connection.begin_stream()
            self._stream(connection, _events(), due)
            return
        connection.send(self._completion(body))
        self._free()

    def _stream(self, connection: Connection, events: Iterator[bytes], due: float) -> None:
        event = next(events, None)
        connection.send_event(event)
        if event is None:
            self._free()
        else:
            self.loop.call_at(due + _GAP, self._stream, connection, events, due + _GAP)

    def _free(self) -> None:
        self.busy -= 1
        if self.waiting:
            self.take(*self.waiting.popleft())

    def _completion(self, body: bytes) -> bytes:
        item = _ITEM.search(body)
        wanted = _N.search(body)
        n = int(wanted[1]) if wanted else 1
        number = item[1] if item else b"0000"
        texts = [self._text(number) for _ in range(n)]
        self.served.choices += n
        choices = [
            {"index": i, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 100, "completion_tokens": 100 * n, "total_tokens": 100 + 100 * n}
        reply = {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "fixed"}
        return json.dumps({**reply, "choices": choices, "usage": usage}).encode()

    def _text(self, number: bytes) -> str:
        turn = self.asked[number]
        self.asked[number] += 1
        digit = _LEADING_DIGIT[turn % len(_LEADING_DIGIT)]
        return f"{_REASONING[digit]:<400}\n\nAnswer: \\boxed{{{digit}{number.decode()}}}"

    def stats(self) -> bytes:
        served = self.served
        return json.dumps(
            {
                "requests": served.requests,
                "choices": served.choices,
                "peak": served.peak,
                "late_s": served.late_s,
                "cpu_s": time.process_time() - self.cpu_before,
            }
        ).encode()


def _events() -> Iterator[bytes]:
    """Twenty words, the usage, and the end."""
    head: dict[str, Any] = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": "fixed"}
    for word in ["Here ", "it ", "comes: "] + ["word "] * 17:
        yield _event({**head, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
    yield _event({**head, "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}})
    yield b"data: [DONE]\n\n"


def _event(fields: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


class Connection(asyncio.Protocol):
    """One keep-alive HTTP/1.1 connection."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < stop:
                return
            body, self.buffer = self.buffer[end + 4 : stop], self.buffer[stop:]
            if head.startswith(b"GET /stats"):
                self.send(self.model.stats())
            elif head.startswith(b"POST "):
                self.model.take(self, body)
            else:  # a client that asks what kind of server this is
                self.send(b"{}", b"404 Not Found")

    def send(self, body: bytes, status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._write(head % (status, len(body)) + body)

    def begin_stream(self) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

    def send_event(self, event: bytes | None) -> None:
        """An event, or the end."""
        self._write(_CHUNK % (len(event or b""), event or b""))

    def _write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)


async def _serve(latency: float, slots: int) -> None:
    loop = asyncio.get_running_loop()
    model = Model(latency, slots, loop)
    server = await loop.create_server(lambda: Connection(model), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The parent holds the other end: when it goes, however it goes, so does the server.
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Serve until standard input closes; the port is the first line of standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, required=True, help="seconds from request to reply")
    parser.add_argument("--slots", type=int, required=True, help="requests under way at once")
    options = parser.parse_args()
    uvloop.run(_serve(options.latency, options.slots))


if __name__ == "__main__":
    main()
