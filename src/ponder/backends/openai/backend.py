"""The backend for every server that speaks the completions API, chat or text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from ponder.backends.http1.connection import Response
from ponder.backends.http1.failures import CallFailed
from ponder.backends.needs import declared, is_whole, needs, refuse_undeclared
from ponder.backends.openai.address import VENDOR_URL, Address, Wire, parse_spec
from ponder.backends.openai.counts import guess_prompt
from ponder.backends.openai.detect import detect, model_names
from ponder.backends.openai.ending import Ending
from ponder.backends.openai.events import DONE, Events
from ponder.backends.openai.failures import from_event
from ponder.backends.openai.learned import learned_of
from ponder.backends.openai.pace import Pace
from ponder.backends.openai.reasoning import LIMITING
from ponder.backends.openai.reply import Failed, FewChoices, Habits, WrongShape, cut_at, read
from ponder.backends.openai.reply_body import ReplyBody
from ponder.backends.openai.servers import SERVERS, TEXT_SERVERS, UNKNOWN, Server, at_host, named
from ponder.backends.openai.split import each_alone
from ponder.backends.openai.stream import Stream
from ponder.backends.openai.transport import LARGEST_REPLY, Transport
from ponder.backends.openai.wire import Body, Target, chat_body, encode, text_body
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.completion import Completion, Usage
from ponder.core.errors import (
    BackendError,
    BrokenReply,
    BudgetExhausted,
    CallTimeout,
    InvalidOption,
    MissingCapability,
    PartlyFailed,
    Rejected,
    UnknownName,
)

__all__ = ["OpenAI"]

BYTES_PER_TOKEN = 2048
"""What one token may take in a reply, with its framing and its log-probabilities."""


class OpenAI:
    """A model behind the chat completions API: vLLM, SGLang, llama.cpp, Ollama, the vendors.

    With ``wire="text"`` it is the text completions API, for base models, which have no chat template, and for servers
    without chat; `prompt.prompt_of` says what the prompt is then.

    What the server can do comes from the kind of server, named in `server`, known by its host or found by `detect`;
    of an unknown one the least that all have is assumed: sample and cancel (and continue, for text completions).
    `capabilities` goes before that: all of them, or, with signs (``"+seed"``, ``"-n"``), what differs from the kind.
    What a model refuses is learned from its errors, and kept for all backends of the process that call it there.
    The key is read from the environment variable `api_key_env` (``OPENAI_API_KEY``; "" sends none) and never shown.

    `most_choices` is how many a server of llama.cpp has slots for, once that has been found out.

    `timeout` is how long the server may be silent, in seconds: the whole generation of a reply that comes in one
    piece, the gap between two tokens of a stream, also if it sends signs of life meanwhile. `concurrency` bounds the
    open connections.

    Raises:
        InvalidOption: the base URL is no URL, a number is out of range, or there is no such `server` or capability.
        UnknownName: there is no such `wire`.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        wire: Wire = "chat",
        api_key_env: str | None = None,
        name: str | None = None,
        server: str | None = None,
        concurrency: int = 16,
        timeout: float = 600.0,
        capabilities: Iterable[Capability | str] | None = None,
        price: Price | None = None,
    ) -> None:
        if concurrency < 1:
            raise InvalidOption(f"concurrency is {concurrency}; it must be at least 1")
        if not timeout > 0:
            raise InvalidOption(f"timeout is {timeout} seconds; it must be more than 0")
        if wire not in get_args(Wire):
            raise UnknownName("wire", wire, get_args(Wire))
        address = Address.of(base_url)
        self.model = model
        start = "openai" if wire == "chat" else "text"
        self.name = name or f"{start}/{model}" + ("" if address.url == VENDOR_URL else f"@{address.url}")
        self.concurrency = concurrency
        self._seconds = timeout
        self.price = price
        self._address = address
        self._transport = Transport(
            address, model, "OPENAI_API_KEY" if api_key_env is None else api_key_env, concurrency, timeout
        )
        self._declared = None if capabilities is None else tuple(capabilities)
        self._learned = learned_of(address.url, model, wire)
        self.most_choices: int | None = None
        self._habits = Habits()
        self._prepared = False
        self._preparing = asyncio.Lock()
        self._servers = SERVERS if wire == "chat" else TEXT_SERVERS
        self._body = chat_body if wire == "chat" else text_body
        self._path = "/chat/completions" if wire == "chat" else "/completions"
        self._become(at_host(address.url) if server is None else named(server))

    @classmethod
    def open(cls, spec: str, *, api_key_env: str | None = None, price: Price | None = None) -> OpenAI:
        """The backend for ``"openai/MODEL"``, ``"openai/MODEL@http://host:port"`` or ``"MODEL@http://host:port"``.

        At its end may stand ``?kind=KIND&caps=+CAPABILITY,-CAPABILITY``.
        With ``text/`` in the place of ``openai/`` it is text completions.

        Raises:
            InvalidOption: there is no model in it, or no URL after the ``@``.
        """
        read = parse_spec(spec)
        return cls(
            read.url, read.model, wire=read.wire, api_key_env=api_key_env, server=read.kind,
            capabilities=read.capabilities, price=price, name=read.named(),
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"OpenAI({self._address.url!r}, {self.model!r}, server={self._server.name!r})"

    def _become(self, kind: Server) -> None:
        server = self._servers[kind.name]
        self._server = server
        self._transport.keep_alive = server.keep_alive
        self._able = declared(self._declared, server.capabilities)
        self._can()
        if Capability.THINKING_BUDGET in self._able and server.name not in LIMITING:
            raise InvalidOption(
                f"a server of kind {server.name!r} has no field for a thinking budget; if it is of another kind, "
                f"name it in server=, one of {', '.join(SERVERS)}"
            )

    def _can(self) -> None:
        """What the model has refused, through whichever backend, it cannot do."""
        self.capabilities = self._able - self._learned.lost.keys()

    async def models(self) -> list[str]:
        """The names of the models that the server lists.

        Raises:
            BackendError: it cannot be reached, or refuses the key.
        """
        return model_names(await self._transport.models())

    async def detect(self) -> str:
        """Find out the kind of server, and with it what it can do; returns the kind.

        Raises:
            BackendError: the server cannot be reached, or refuses the key.
        """
        models = await self._transport.models()
        if self._server.name == UNKNOWN.name:
            server, self.most_choices = await detect(models, self._transport.look)
            self._become(server)
            await self._transport.close()
        return self._server.name

    async def prepare(self) -> None:
        """Find out once what the server can do, unless that is known or declared.

        A server that lists no models keeps the least that all can do.

        Raises:
            BackendError: the server cannot be reached, or refuses the key.
        """
        if self._prepared:
            return
        async with self._preparing:  # runs that begin together look once, and none closes the other's connections
            if not self._prepared and not is_whole(self._declared) and self._server.name == UNKNOWN.name:
                await self.detect()
            self._prepared = True

    async def generate(self, request: Request, progress: Progress) -> Completion:
        """Carry out one call.

        Raises:
            MissingCapability: the request needs what the server is not known to do; nothing was sent.
            InvalidProblem: for text completions, a message holds more than text; nothing was sent.
            BackendError: the call failed.
        """
        self._can()
        several = request.n > 1 and Capability.N in self._learned.lost and self._able >= {Capability.N}
        refuse_undeclared(self, replace(request, n=1) if several else request)
        try:
            completion = await (self._alone if several else self._call)(request, progress)
            progress.notes += self._learned.notes(request)
            if "stop" not in self._learned.dropped:
                return completion
            return replace(completion, choices=tuple(cut_at(completion.choices, request)))
        except PartlyFailed as error:
            if "stop" in self._learned.dropped:
                error.choices = dict(zip(error.choices, cut_at(error.choices.values(), request), strict=True))
            raise
        except (asyncio.CancelledError, BrokenReply, CallTimeout):
            guess_prompt(progress, request)
            raise

    async def _call(self, request: Request, progress: Progress) -> Completion:
        body = self._body(request, Target(self.model, self._server, self.capabilities, self._learned))
        try:
            return await self._send(request, progress, body)
        except FewChoices as error:
            return await self._rest(request, progress, error.completion)
        except Rejected as error:
            if error.status not in (400, 422) or not self._learned.take(
                error.said, body, request, self._transport.place
            ):
                raise
        return await self._instead(request, progress)

    async def _instead(self, request: Request, progress: Progress) -> Completion:
        """The call again, as what was learned from its refusal allows.

        Raises:
            MissingCapability: the model cannot do what the request is about.
        """
        self._can()
        lost = needs(request) & self._learned.lost.keys()
        for capability in sorted(lost - {Capability.N}):
            raise MissingCapability(
                f"{self._transport.place} does not offer {capability.value!r}: {self._learned.lost[capability]}"
            )
        progress.again(refused=True)
        return await (self._alone(request, progress) if lost else self._call(request, progress))

    async def _alone(self, request: Request, progress: Progress) -> Completion:
        """Several choices in as many calls at the same time."""
        for _ in range(request.n - 1):
            progress.again()
        return await each_alone(request, progress, self._call)

    async def _rest(self, request: Request, progress: Progress, first: Completion) -> Completion:
        """The server has ignored ``n``: ask for the other choices, and for one a time from now on."""
        self._learned.lose(Capability.N, f"it gave one choice of {request.n}", self._transport.place)
        self._can()
        try:
            for _ in range(request.n - 1):
                progress.again()
        except BudgetExhausted as limit:
            raise PartlyFailed(str(limit), dict(enumerate(first.choices)), first.usage, limit) from None
        return await each_alone(request, progress, self._call, first)

    async def _send(self, request: Request, progress: Progress, body: Body) -> Completion:
        limit = LARGEST_REPLY + request.n * request.max_tokens * BYTES_PER_TOKEN
        stream = Stream(request, progress, self._habits)

        async def receive(response: Response) -> Completion:
            pace = Pace(self._transport.place, self._seconds)
            body = ReplyBody(self._transport.pieces(response, limit), response.content_type, pace)
            if await body.is_stream():
                return await self._follow(response, body, stream, pace)
            reply = self._transport.json(await body.whole())
            self._raise_if_error(reply)
            return read(reply, request, self._habits)

        try:
            return await self._transport.post(self._path, encode(body), receive)
        except Failed as failed:
            if not failed.choices:
                _book(failed.usage, progress)
            raise self._error(failed) from None
        except WrongShape as error:
            broken = BrokenReply(f"{self._transport.place} gave a reply of the wrong shape: {error}")
            raise self._broken(stream, broken) from None
        except BackendError as error:
            raise self._broken(stream, error) from None

    def _error(self, failed: Failed) -> BackendError:
        """The error for choices that failed by themselves, with those that did not."""
        place = self._transport.place
        told = isinstance(failed.why, str)
        cause = BrokenReply(f"{place} {failed.why}") if told else from_event(place, failed.why)
        return PartlyFailed(str(cause), failed.choices, failed.usage, cause) if failed.choices else cause

    def _broken(self, stream: Stream, error: BackendError) -> BackendError:
        """The error for a reply that broke off, with the choices that had ended by then."""
        failed = stream.ended()
        return error if failed is None else PartlyFailed(str(error), failed.choices, failed.usage, error)

    async def _follow(self, response: Response, body: ReplyBody, stream: Stream, pace: Pace) -> Completion:
        """Read a stream to its end mark, or as far as it goes once every choice has ended."""
        events, ending = Events(), Ending(response)
        try:
            async for piece in body:
                before = stream.moves
                for payload in events.feed(piece):
                    if payload == DONE:
                        await response.drain()
                        return stream.finish()
                    self._take(stream, payload)
                    if stream.cut:
                        return stream.finish()
                if stream.moves > before:
                    pace.moved()
                if stream.complete and ending.is_over():
                    return stream.finish()
        except CallFailed:
            if not stream.complete:
                raise
            return stream.finish()
        for payload in events.close():
            if payload != DONE:
                self._take(stream, payload)
        if stream.finished:
            return stream.finish()
        raise BrokenReply(f"{self._transport.place} closed the stream before its end")

    def _take(self, stream: Stream, payload: bytes) -> None:
        chunk = self._transport.json(payload)
        self._raise_if_error(chunk)
        stream.take(chunk)

    def _raise_if_error(self, reply: object) -> None:
        if not isinstance(reply, dict):
            return
        if reply.get("error"):
            raise from_event(self._transport.place, reply["error"])
        if reply.get("object") == "error" or (reply.get("type") == "error" and "message" in reply):
            raise from_event(self._transport.place, reply)

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice; a later call opens new ones."""
        await self._transport.close()


def _book(usage: Usage, progress: Progress) -> None:
    """A call that failed is charged for what the server has counted."""
    progress.prompt_tokens, progress.cached_tokens, progress.estimated = usage.prompt, usage.cached, usage.estimated
    progress.grow(0, "", max(0, usage.output - sum(progress.tokens)))
