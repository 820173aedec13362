"""A small server that speaks the completions API, chat and text, for tests: real sockets, repeatable replies, faults.

    python -m tests.servers.chat --port 0 --latency 0.05 --log calls.jsonl

prints its base URL, as the first line, and serves until it is killed. Each line of the log is a JSON object with the
`call`'s number and an `event`: "received", then "answered" or "cancelled" (the client went away).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from aiohttp import web

from tests.servers.faults import NAMED, Fault
from tests.servers.replies import Said, say

__all__ = ["ChatServer", "running"]


class ChatServer:
    """The server's behaviour and what it has seen.

    It passes for vLLM unless `owner` says otherwise. `says` makes the choice of a number for the body of a call.
    `latency` is in seconds a call, `token_latency` in seconds a token of a stream. `faults` answer the next calls, one
    each, `faulty` all calls to a model, by its name, `models_fault` all look-ups of models. `names_stops` is whether
    it says which stop string ended a choice. `bodies`, `headers` and `peers` (address and port) are those of the calls
    so far.
    """

    def __init__(
        self,
        *,
        owner: str = "vllm",
        says: Callable[[dict[str, Any], int], Said] = say,
        latency: float = 0.0,
        token_latency: float = 0.0,
        log: TextIO | None = None,
    ) -> None:
        self.owner = owner
        self.says = says
        self.latency = latency
        self.token_latency = token_latency
        self.faults: deque[Fault] = deque()
        self.faulty: dict[str, Fault] = {}
        self.models_fault: Fault | None = None
        self.names_stops = True
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.events: list[tuple[int, str]] = []
        self.peers: list[object] = []
        self.changed = threading.Condition()
        self.url = ""
        self._log = log
        self._number = itertools.count()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_get("/v1/models", self._models)
        return app

    def reset(self) -> None:
        """Forget what was seen and programmed."""
        for seen in (self.faults, self.faulty, self.bodies, self.headers, self.peers, self.events):
            seen.clear()
        self.latency = self.token_latency = 0.0
        self.models_fault = None
        self.names_stops = True

    def wait_for(self, event: str, seconds: float = 30) -> None:
        """Block until some call has met this event."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(what == event for _, what in self.events), seconds), event

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.models_fault is not None:
            return await self.models_fault(request)
        return web.json_response({"object": "list", "data": [{"id": "test-model", "owned_by": self.owner}]})

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if self.faults:
            return await self.faults.popleft()(request)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": at, "embedding": [0.5, len(str(one))]} for at, one in enumerate(texts)]
        count = sum(map(len, map(str, texts)))
        usage = {"prompt_tokens": count, "total_tokens": count}
        return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        call = next(self._number)
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        assert request.transport is not None
        self.peers.append(request.transport.get_extra_info("peername"))
        self._note(call, "received", body)
        try:
            response = await self._answer(request, body)
        except asyncio.CancelledError:
            self._note(call, "cancelled", body)
            raise
        self._note(call, "answered", body)
        return response

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if self.faults:
            return await self.faults.popleft()(request)
        if body.get("model") in self.faulty:
            return await self.faulty[body["model"]](request)
        await asyncio.sleep(self.latency)
        said = [self.says(body, index) for index in range(body.get("n") or 1)]
        if body.get("stream"):
            return await self._stream(request, body, said)
        choices = [_choice(body, one, index) for index, one in enumerate(said)]
        if not self.names_stops:
            choices = [{name: choice[name] for name in choice if name != "stop_reason"} for choice in choices]
        kind = "text_completion" if "prompt" in body else "chat.completion"
        return web.json_response({"object": kind, "choices": choices, "usage": _usage(body, said)})

    async def _stream(self, request: web.Request, body: dict[str, Any], said: list[Said]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for at in range(max((len(one.tokens) for one in said), default=0)):
            await asyncio.sleep(self.token_latency)
            for index, one in enumerate(said):
                if at < len(one.tokens):
                    await _send(response, {"choices": [_delta(body, one, index, at)]})
        for index, one in enumerate(said):
            for delta in _call_deltas(one, index):
                await _send(response, {"choices": [delta]})
        for index, one in enumerate(said):
            ending: dict[str, Any] = {} if "prompt" in body else {"delta": {}}
            ending |= {"index": index, "finish_reason": one.finish}
            ending |= {"stop_reason": one.stop} if self.names_stops else {}
            await _send(response, {"choices": [ending]})
        if (body.get("stream_options") or {}).get("include_usage"):
            await _send(response, {"choices": [], "usage": _usage(body, said)})
        await response.write(b"data: [DONE]\n\n")
        return response

    def _note(self, call: int, event: str, body: dict[str, Any]) -> None:
        with self.changed:
            self.events.append((call, event))
            self.changed.notify_all()
        if self._log is not None:
            line = {"call": call, "event": event, "seed": body.get("seed"), "time": time.time()}
            print(json.dumps(line), file=self._log, flush=True)


async def _send(response: web.StreamResponse, data: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(data).encode() + b"\n\n")


def _choice(body: dict[str, Any], said: Said, index: int) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": index, "finish_reason": said.finish, "stop_reason": said.stop}
    if "prompt" in body:
        choice["text"] = said.text
    else:
        choice["message"] = {"role": "assistant", "content": said.text or None}
        if said.calls:
            choice["message"]["tool_calls"] = [_call(index, at, *call) for at, call in enumerate(said.calls)]
    if body.get("logprobs"):
        choice["logprobs"] = _logprobs(body, said.tokens)
    if body.get("return_token_ids"):
        choice["token_ids"] = list(range(len(said.tokens)))
    return choice


def _delta(body: dict[str, Any], said: Said, index: int, at: int) -> dict[str, Any]:
    token = said.tokens[at]
    delta: dict[str, Any] = {"index": index, "finish_reason": None}
    delta |= {"text": token} if "prompt" in body else {"delta": {"content": token}}
    if body.get("logprobs"):
        delta["logprobs"] = _logprobs(body, [token])
    return delta


def _call(choice: int, at: int, name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call-{choice}-{at}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _call_deltas(said: Said, index: int) -> Iterator[dict[str, Any]]:
    """Tool calls in a stream: the name, then the arguments in two pieces."""
    for at, (name, arguments) in enumerate(said.calls):
        middle = len(arguments) // 2
        pieces = [_call(index, at, name, "")]
        pieces += [{"function": {"arguments": piece}} for piece in (arguments[:middle], arguments[middle:])]
        for piece in pieces:
            delta = {"tool_calls": [{"index": at, **piece}]}
            yield {"index": index, "delta": delta, "finish_reason": None}


def _logprobs(body: dict[str, Any], tokens: list[str]) -> dict[str, Any]:
    if "prompt" in body:
        tops = [{token: -0.5} for token in tokens]
        return {"tokens": tokens, "token_logprobs": [-0.5] * len(tokens), "top_logprobs": tops}
    return {"content": [_logprob(token) for token in tokens]}


def _logprob(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.5, "top_logprobs": [{"token": token, "logprob": -0.5}]}


def _usage(body: dict[str, Any], said: list[Said]) -> dict[str, Any]:
    texts = [body["prompt"]] if "prompt" in body else [message.get("content") for message in body["messages"]]
    prompt = sum(len(str(text).split()) for text in texts)
    made = sum(len(one.tokens) for one in said)
    return {"prompt_tokens": prompt, "completion_tokens": made, "prompt_tokens_details": {"cached_tokens": 1}}


async def _start(server: ChatServer, port: int) -> web.AppRunner:
    runner = web.AppRunner(server.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    return runner


@contextmanager
def running(server: ChatServer | None = None) -> Iterator[ChatServer]:
    """Serve in a thread of its own, on a free port."""
    server = ChatServer() if server is None else server
    loop = asyncio.new_event_loop()
    runner = loop.run_until_complete(_start(server, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(options: argparse.Namespace) -> None:
    log = options.log.open("a") if options.log else None
    server = ChatServer(owner=options.owner, latency=options.latency, token_latency=options.token_latency, log=log)
    server.faults.extend(NAMED[name] for name in options.fault)
    await _start(server, options.port)
    print(server.url, flush=True)  # noqa: T201 - this is how the caller learns the port
    await asyncio.Event().wait()


def _options() -> argparse.Namespace:
    from pathlib import Path

    parser = argparse.ArgumentParser(description="Serve the completions API for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a call")
    parser.add_argument("--token-latency", type=float, default=0.0, help="seconds a streamed token")
    parser.add_argument("--owner", default="vllm", help="what the list of models says it is")
    parser.add_argument("--log", type=Path, help="append a line for each call received and answered")
    parser.add_argument("--fault", action="append", default=[], choices=sorted(NAMED), help="for the next call")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
