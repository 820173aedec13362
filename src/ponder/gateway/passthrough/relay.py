"""An upstream's answer on its way to the client: as it came, if a client can read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ponder.backends.http1.connection import Response
from ponder.backends.http1.failures import CallFailed
from ponder.backends.openai.ending import Ending
from ponder.backends.openai.events import DONE, Events, Framing
from ponder.backends.openai.failures import Place, from_event, from_response
from ponder.backends.openai.pace import Pace
from ponder.backends.openai.reply_body import ReplyBody
from ponder.backends.openai.retry_after import read_retry_after
from ponder.backends.openai.transport import LARGEST_ERROR, LARGEST_REPLY
from ponder.core.bill import Price
from ponder.core.errors import BackendError, BrokenReply, RateLimited, Unreachable
from ponder.gateway.http.asgi import Send
from ponder.gateway.http.error_replies import wait_of
from ponder.gateway.http.headers import passed_on
from ponder.gateway.passthrough.billing import Books
from ponder.gateway.passthrough.reply_count import MOST
from ponder.gateway.passthrough.upstream_replies import Chunk, is_refusal, read_chunk, read_reply
from ponder.gateway.upstreams.breaker import Breaker

__all__ = ["Passing", "Relay", "Relayed"]

_EVENT = re.compile(rb".*?(?:\n\n|\r\n\r\n|\r\r|\Z)", re.DOTALL)

LARGEST_EVENT = 2**22

LARGEST_REFUSAL = 2**14
"""Bytes of an error in an upstream's own words; some repeat all that they were asked."""


class Relayed(BackendError):
    """The upstream says that it cannot, in its own words, which go to the client if nothing takes its place."""

    def __init__(self, message: str, head: dict[str, Any], data: bytes) -> None:
        super().__init__(message)
        self.status: int | None = head["status"]
        self._head = head
        self._data = data

    async def send(self, send: Send) -> None:
        """Pass them on."""
        await send(self._head)
        await send({"type": "http.response.body", "body": self._data})


class _Failure(Relayed, Unreachable):
    """It has failed."""


class _Limit(Relayed, RateLimited):
    """It has too much to do."""


class Passing(msgspec.Struct, frozen=True):
    """A request on its way: to `path` below an upstream's base URL, whose breaker is told how it went.

    `stream` says whether it asks for one; with `hides_usage` the client has not asked for the usage that comes at its
    end. `choices` is how many replies it asks for, `limit` the tokens at which all of them together are cut. `deadline`
    is when the client wants no answer any more, by the monotonic clock, None for never. `headers` go to the client with
    the answer; `price` is that of the model, None if nobody knows it.
    """

    path: str
    body: bytes
    stream: bool
    breaker: Breaker
    price: Price | None
    deadline: float | None = None
    hides_usage: bool = False
    choices: int = 1
    limit: int = MOST
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Relay:
    """Relays the upstream's answer, with those of its headers that are `told`.

    `begun` once a part of it is on its way to the client.
    """

    def __init__(
        self, send: Send, books: Books, pace: Pace, place: Place, request: Passing, told: frozenset[bytes]
    ) -> None:
        self.place = place
        self._pace = pace
        self.begun = False
        self._send = send
        self._books = books
        self._request = request
        self._told = told
        self._headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in request.headers.items()]

    async def relay(self, response: Response) -> None:
        """Send it on."""
        if response.status in (401, 403) or (response.status < 400 and response.status != 200):
            # A client that followed a redirect would show its key to another server; one that heard that a key is
            # wrong would look for another one of its own.
            raise from_response(self.place, response, "")
        if response.packed:
            raise BrokenReply(f"{self.place} sent a packed reply, which nobody has asked for")
        if response.status != 200:
            await self._refusal(response, await self._read(ReplyBody(response, response.content_type, self._pace)))
            return
        body = ReplyBody(response, response.content_type, self._pace)
        if await body.is_stream() != self._request.stream:
            raise await self._other_kind(response, body)
        await (self._stream(response, body) if self._request.stream else self._whole(response, body))

    async def _other_kind(self, response: Response, body: ReplyBody) -> BackendError:
        """The error for a stream in the place of one piece, or the reverse, which may be an error of the upstream's."""
        if not self._request.stream:
            return BrokenReply(f"{self.place} was asked for a reply in one piece, and sent a stream of events")
        try:
            reply = read_reply(await self._read(body), self._request.path)
        except ValueError:
            return BrokenReply(f"{self.place} was asked for a stream, and sent {response.content_type:.80}")
        if reply.error:
            return from_event(self.place, reply.error)
        return BrokenReply(f"{self.place} was asked for a stream, and sent a reply in one piece")

    def _head(self, response: Response, size: int | None = None) -> dict[str, Any]:
        streams = response.status == 200 and self._request.stream
        kind = b"text/event-stream" if streams else b"application/json"
        headers = [(b"content-type", kind), *passed_on(response.headers, self._told)]
        wish = response.header(b"retry-after")
        if wish or response.status == 429:
            headers.append((b"retry-after", wait_of(read_retry_after(wish)).encode()))
        if size is not None:
            headers.append((b"content-length", str(size).encode()))
        return {"type": "http.response.start", "status": response.status, "headers": headers + self._headers}

    async def _read(self, body: ReplyBody) -> bytes:
        """All of an answer, before any is sent: what turns out to be broken becomes an error."""
        pieces: list[bytes] = []
        size = 0
        async for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_REPLY:
                raise BrokenReply(f"{self.place} sent more than {LARGEST_REPLY // 2**20} MB; the reply is dropped")
        return b"".join(pieces)

    async def _refusal(self, response: Response, data: bytes) -> None:
        """What the upstream itself says is wrong; as it says it, if that is in the shape of the chat API."""
        data = self.place.hide(data)
        if len(data) > LARGEST_REFUSAL or not is_refusal(data):
            raise from_response(self.place, response, data[:LARGEST_ERROR].decode("utf-8", "replace"))
        head = self._head(response, len(data))
        if response.status == 429 or response.status >= 500:
            kind = _Limit if response.status == 429 else _Failure
            raise kind(f"{self.place} answered {response.status}", head, data)
        await self._send(head)
        await self._send({"type": "http.response.body", "body": data})

    async def _whole(self, response: Response, body: ReplyBody) -> None:
        data = await self._read(body)
        try:
            reply = read_reply(data, self._request.path)
        except ValueError:
            kind = "list of embeddings" if self._request.path == "/embeddings" else "completion"
            raise BrokenReply(f"{self.place} gave a reply that is no {kind}: {len(data)} bytes") from None
        if reply.error:
            raise from_event(self.place, reply.error)
        self._books.take_reply(reply)
        await self._send(self._head(response, len(data)))
        await self._send({"type": "http.response.body", "body": data})

    async def _stream(self, response: Response, body: ReplyBody) -> None:
        """A stream, event by event: half of one is nothing that a client can read, should the rest not come."""
        events = Events()
        try:
            await self._events(response, body, events)
        except CallFailed:
            if not self._books.complete:
                raise
        if not self._books.ended:
            if not self._books.finished:
                raise BrokenReply(f"{self.place} closed the stream before its end")
            await self._pass_on(response, events, b"data: " + DONE + b"\n\n")
        await self._send({"type": "http.response.body", "body": b""})

    async def _events(self, response: Response, body: ReplyBody, events: Events) -> None:
        """Pass on what comes, up to the end mark, or as far as it goes once every choice has ended."""
        framing, ending = Framing(), Ending(response)
        async for piece in body:
            before = self._books.moves
            if data := framing.feed(piece):
                await self._pass_on(response, events, data)
            if self._books.ended:
                await response.drain()
                return
            if self._books.over:
                await self._pass_on(response, events, self._cut())
                return
            if self._books.moves > before:
                self._pace.moved()
            if framing.waiting > LARGEST_EVENT:
                raise BrokenReply(f"{self.place} sent an event of more than {LARGEST_EVENT // 2**20} MB")
            if self._books.complete and ending.is_over():
                return
        if rest := framing.close():
            await self._pass_on(response, events, rest)
        if self._books.over:
            await self._pass_on(response, events, self._cut())

    async def _pass_on(self, response: Response, events: Events, data: bytes) -> None:
        """Send whole events, if a client can read them; before the first ones, the head."""
        try:
            str(data, "utf-8")
            one_by_one = self._request.hides_usage or DONE in data or not self._books.has_room(len(data))
            parts = _EVENT.findall(data) if one_by_one else [data]
            data = b"".join(self._for_the_client(events, parts))
        except ValueError:
            raise BrokenReply(f"{self.place} sent an event that is no piece of a completion") from None
        if not self.begun:
            self.begun = True
            await self._send(self._head(response))
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _for_the_client(self, events: Events, parts: Iterable[bytes]) -> Iterator[bytes]:
        """What is sent on, up to the end mark, or to the event that goes beyond the limit."""
        ends = self._books.over  # then they are the gateway's own
        for part in parts:
            shown = self._is_for_the_client(events, part)
            if self._books.over and not ends:
                return
            if shown:
                yield part
            if self._books.ended:
                return

    def _cut(self) -> bytes:
        """What ends a stream that went beyond its limit: its choices were too long."""
        nothing: dict[str, Any] = {"delta": {}} if self._request.path == "/chat/completions" else {"text": ""}
        choices = [{"index": at, **nothing, "finish_reason": "length"} for at in range(self._request.choices)]
        kind = "chat.completion.chunk" if "delta" in nothing else "text_completion"
        last = {"id": "cut", "object": kind, "created": 0, "model": self.place.model, "choices": choices}
        return b"data: %b\n\ndata: %b\n\n" % (msgspec.json.encode(last), DONE)

    def _is_for_the_client(self, events: Events, data: bytes) -> bool:
        """Book one event, or several; False for one that has only the usage, if that is hidden."""
        chunks = [self._take(payload) for payload in events.feed(data)]
        only_usage = [chunk is not None and bool(chunk.usage) and not chunk.choices for chunk in chunks]
        return not (self._request.hides_usage and chunks and all(only_usage))

    def _take(self, payload: bytes) -> Chunk | None:
        if payload == DONE:
            self._books.end()
            return None
        chunk = read_chunk(payload)
        if chunk.error:
            raise from_event(self.place, chunk.error)
        self._books.take_chunk(chunk)
        return chunk
