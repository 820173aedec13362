"""A scaled answer as a stream of chunks: role, progress as reasoning, the answer, usage, ``[DONE]``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from ponder.core.answer import Answer
from ponder.core.errors import BackendError, BrokenReply
from ponder.core.methods.registry import Plan
from ponder.gateway.errors import Refused
from ponder.gateway.http.asgi import Scope, Send
from ponder.gateway.http.disconnect import until_gone
from ponder.gateway.http.error_replies import failure_of
from ponder.gateway.http.sse import DONE, event
from ponder.gateway.scaled.orders import Request
from ponder.gateway.scaled.progress import Progress
from ponder.gateway.scaled.reply import Reply, headers_of, reply_of, summary_of, usage_of
from ponder.gateway.scaled.runs import Finished, Running

__all__ = ["HEARTBEAT", "Streamed"]


HEARTBEAT = 5.0
"""Seconds of silence after which a comment says that the connection lives."""

PACE = 0.5
"""Seconds between two reports of progress."""

_TURNS = 20
"""Of the event loop, after which a run has checked its budget."""

_THOUGHT = "</think>"

_ALIVE = b": still at work\n\n"


class Streamed:
    """Sends one run to one client as it goes on.

    With `direct` the text of the only branch is sent as it grows; otherwise progress is, and the answer at the end.
    """

    def __init__(
        self, send: Send, running: Running | Finished, progress: Progress, request: Request, plan: Plan, *, direct: bool
    ) -> None:
        self._send = send
        self._running = running
        self._progress = progress
        self._strategy = plan.spec
        self._chat = request.chat
        self._direct = direct
        self._usage = request.fields.include_usage
        self._sent = ""
        self._spoke = time.monotonic()
        self._head: dict[str, Any] = {"created": int(time.time()), "model": request.fields.model}

    async def run(self, scope: Scope) -> None:
        """Send everything; when the client goes away, leave the run.

        Raises:
            Exception: what kept the run from starting; nothing was sent.
        """
        task = self._running.task
        with until_gone(scope) as gone:
            started = asyncio.create_task(self._running.started.wait())
            waiting: set[asyncio.Future[Any]] = {task, gone, started}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            started.cancel()
            await self._settle()
            if task.done() and not task.cancelled() and task.exception() is not None:
                task.result()
            if gone.done():
                return
            await self._begin()
            while not (task.done() or gone.done()):
                await self._wait(gone)
                await self._report()
            if task.done():
                await self._end()

    async def _settle(self) -> None:
        """Let a run that has just begun find out what is wrong with it, so that its error gets a status."""
        for _ in range(_TURNS):
            if self._running.task.done():
                return
            await asyncio.sleep(0)

    async def _begin(self) -> None:
        run = self._running.run
        self._head["id"] = f"{'chatcmpl' if self._chat else 'cmpl'}-{run}"
        self._head["object"] = "chat.completion.chunk" if self._chat else "text_completion"
        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
            **headers_of({"strategy": self._strategy, "run": run}),
        }
        lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": lines})
        if self._chat:
            await self._say({"role": "assistant", "content": ""})

    async def _wait(self, gone: asyncio.Future[None]) -> None:
        waiting: set[asyncio.Future[Any]] = {self._running.task, gone}
        grown = None
        if self._direct:
            grown = asyncio.create_task(self._progress.grown.wait())
            waiting.add(grown)
        await asyncio.wait(waiting, timeout=PACE, return_when=asyncio.FIRST_COMPLETED)
        if grown is not None:
            grown.cancel()

    async def _report(self) -> None:
        """What is new; or, after a long silence, that there is nothing new."""
        if self._running.task.done():
            return
        progress, live = self._progress, self._running.live
        if self._direct:
            progress.grown.clear()
            await self._catch_up(progress.text)
        elif live is not None and self._chat:
            line = progress.news(live)
            if line:
                await self._say({"reasoning_content": line})
        if time.monotonic() - self._spoke >= HEARTBEAT:
            await self._write(_ALIVE)

    async def _catch_up(self, text: str) -> None:
        """Send what has been added; what was sent cannot be taken back."""
        if len(text) > len(self._sent) and text.startswith(self._sent):
            new, self._sent = text[len(self._sent) :], text
            await self._say({"content": new})

    async def _end(self) -> None:
        task = self._running.task
        if task.cancelled():
            await self._fail(Refused(503, "shutting_down", "the server is shutting down"))
        elif (error := task.exception()) is not None:
            await self._fail(error)
        else:
            try:
                await self._finish(task.result())
            except BackendError as unsaid:
                await self._fail(unsaid)
        await self._write(DONE)
        await self._send({"type": "http.response.body", "body": b""})

    async def _fail(self, error: BaseException) -> None:
        await self._write(event(failure_of(error).body))

    async def _finish(self, answer: Answer) -> None:
        reply = reply_of(answer)
        if not reply.text.startswith(self._sent):
            await self._take_back(reply)
        elif reply.thinking and self._chat:
            await self._say({"reasoning_content": reply.thinking})
        await self._catch_up(reply.text)
        if reply.tool_calls:
            await self._say({"tool_calls": [{"index": at, **call} for at, call in enumerate(reply.tool_calls)]})
        summary = summary_of(answer, self._running)
        await self._say({}, reply.finish, ponder=summary)
        if self._usage:
            await self._write(event({**self._head, "choices": [], "usage": usage_of(answer.bill)}))

    async def _take_back(self, reply: Reply) -> None:
        """What was sent is not how the answer begins.

        Raises:
            BrokenReply: it cannot be made good.
        """
        sent, self._sent = self._sent.strip(), ""
        if sent and not reply.thinking.startswith(sent):
            raise BrokenReply("the reply broke off, and was begun anew; ask again")
        if sent:  # it turned out to be reasoning: the client gets it as the model wrote it
            await self._say({"content": f"{reply.thinking[len(sent) :]}{_THOUGHT}"})

    async def _say(self, delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> None:
        said = {"delta": delta} if self._chat else {"text": delta.get("content", "")}
        chunk = {**self._head, "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": finish}], **more}
        if self._usage:
            chunk["usage"] = None
        await self._write(event(chunk))

    async def _write(self, data: bytes) -> None:
        self._spoke = time.monotonic()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
