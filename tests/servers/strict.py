"""Servers that refuse parameters, each in the words of its kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from aiohttp import web

from tests.servers.chat import ChatServer, running
from tests.servers.replies import Said, say

__all__ = ["WORDS", "StrictServer", "strict"]

Says = Callable[[str, Any], tuple[int, str]]
"""The status and the body for a field that is refused, and its value."""


def _openai(name: str, value: Any) -> tuple[int, str]:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return 400, json.dumps({"error": {"message": message, "param": name, "code": "unsupported_parameter"}})


def _value(name: str, value: Any) -> tuple[int, str]:
    message = f"Unsupported value: '{name}' does not support {value} with this model. Only the default is supported."
    return 400, json.dumps({"error": {"message": message, "param": name, "code": "unsupported_value"}})


def _azure(name: str, value: Any) -> tuple[int, str]:
    return 400, json.dumps({"error": {"message": f"Unrecognized request argument supplied: {name}", "param": None}})


def _openrouter(name: str, value: Any) -> tuple[int, str]:
    raw = _openai(name, value)[1]
    return 400, json.dumps({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}})


def _litellm(name: str, value: Any) -> tuple[int, str]:
    said = f"litellm.UnsupportedParamsError: openai does not support parameters: ['{name}'], for model=gpt-5-mini."
    return 400, json.dumps({"error": {"message": f"{said} To drop, set `litellm.drop_params=True`", "param": None}})


def _vllm(name: str, value: Any) -> tuple[int, str]:
    said = f"[{{'type': 'extra_forbidden', 'loc': ('body', '{name}'), 'msg': 'Extra inputs are not permitted'}}]"
    return 400, json.dumps({"object": "error", "message": said, "type": "BadRequestError", "param": None, "code": 400})


def _mistral(name: str, value: Any) -> tuple[int, str]:
    entry = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": value}
    return 422, json.dumps({"object": "error", "message": {"detail": [entry]}, "param": None})


def _gemini(name: str, value: Any) -> tuple[int, str]:
    said = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    return 400, json.dumps([{"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}}])


def _groq(name: str, value: Any) -> tuple[int, str]:
    return 400, json.dumps({"error": {"message": f"'{name}' : number must be at most 1", "type": "invalid_request"}})


def _plain(name: str, value: Any) -> tuple[int, str]:
    return 400, f"unsupported parameter {name}"


WORDS: Mapping[str, Says] = {
    "openai": _openai, "openai, for the value": _value, "azure": _azure, "openrouter": _openrouter, "litellm": _litellm,
    "vllm": _vllm, "mistral": _mistral, "gemini": _gemini, "plain text": _plain,
}  # fmt: skip


class StrictServer(ChatServer):
    """Refuses the first field of `refuses` that a call has, in the words `says`; with `deaf` it ignores ``n``."""

    def __init__(self, refuses: tuple[str, ...], says: str = "openai", owner: str = "me", deaf: bool = False) -> None:
        super().__init__(owner=owner, says=say if not deaf else self._one)
        self.refuses = refuses
        self.words = _groq if says == "groq" else WORDS[says]
        self.deaf = deaf

    def _one(self, body: dict[str, Any], index: int) -> Said:
        body["n"] = 1
        return say(body, index)

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        for name in self.refuses:
            if name in body:
                status, text = self.words(name, body[name])
                return web.Response(status=status, text=text)
        if self.deaf:
            body = {**body, "n": 1}
        return await super()._answer(request, body)


def strict(*refuses: str, says: str = "openai", deaf: bool = False) -> AbstractContextManager[ChatServer]:
    """Such a server, running."""
    return _elsewhere(StrictServer(refuses, says, deaf=deaf))


@contextmanager
def _elsewhere(server: ChatServer) -> Iterator[ChatServer]:
    """Started and stopped in a thread without an event loop, so that a test may have one."""
    serving = running(server)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(serving.__enter__).result()
        try:
            yield server
        finally:
            thread.submit(serving.__exit__, None, None, None).result()
