"""What an upstream's reply has to be for a client to read it; what passes through is checked, and sent as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["Chunk", "Whole", "is_refusal", "read_chunk", "read_reply"]


class _Said(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    refusal: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None

    @property
    def written(self) -> str:
        """All that there is to read but the calls of tools."""
        content = self.content or self.refusal or ""
        if not isinstance(content, str):
            content = json.dumps(content)
        return f"{content}{self.reasoning_content or self.reasoning or ''}"


class _ChatChoice(msgspec.Struct):
    message: _Said

    @property
    def written(self) -> str:
        """All that there is to read but the calls of tools."""
        return self.message.written

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls of tools, whole or in pieces."""
        return self.message.tool_calls or []


class _TextChoice(msgspec.Struct):
    text: str

    @property
    def written(self) -> str:
        """All that there is to read but the calls of tools."""
        return self.text

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls of tools, whole or in pieces."""
        return []


class _Piece(msgspec.Struct):
    delta: _Said | None = None
    text: str | None = None
    index: Any = None
    finish_reason: Any = None

    @property
    def written(self) -> str:
        """All that there is to read but the calls of tools."""
        return self.delta.written if self.delta else self.text or ""

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls of tools, whole or in pieces."""
        return (self.delta.tool_calls if self.delta else None) or []


class Whole(msgspec.Struct):
    """A reply in one piece; `error` in the place of `choices`, of a server that reports it with status 200."""

    choices: list[Any] | None = None
    usage: Any = None
    error: Any = None


class _Chat(Whole):
    choices: list[_ChatChoice] | None = None


class _Text(Whole):
    choices: list[_TextChoice] | None = None


class _Vector(msgspec.Struct):
    embedding: list[float] | str


class _Embeddings(Whole):
    data: list[_Vector] | None = None


class Chunk(Whole):
    """A piece of a stream; the one with the usage may have no choices."""

    choices: list[_Piece] | None = None


class _Reason(msgspec.Struct):
    message: str


class _Refusal(msgspec.Struct):
    error: _Reason


_WHOLE: Mapping[str, type[Whole]] = {"/chat/completions": _Chat, "/completions": _Text, "/embeddings": _Embeddings}

_decoders = {kind: msgspec.json.Decoder(kind) for kind in (*_WHOLE.values(), Chunk, _Refusal)}


def read_reply(data: bytes, path: str) -> Whole:
    """A whole reply of the endpoint `path`.

    Raises:
        ValueError: it is none.
    """
    str(data, "utf-8")  # the decoder does not look into what it skips
    reply: Whole = _decoded(data, _WHOLE[path])
    given = reply.data if isinstance(reply, _Embeddings) else reply.choices
    if not given and not reply.error:
        raise ValueError("there is nothing in it")
    return reply


def read_chunk(payload: bytes) -> Chunk:
    """The payload of one event.

    Raises:
        ValueError: it is no piece of a completion.
    """
    chunk: Chunk = _decoded(payload, Chunk)
    if chunk.choices is None and not chunk.usage and not chunk.error:
        raise ValueError("there are no choices")
    return chunk


def is_refusal(data: bytes) -> bool:
    """Whether it is an error as clients of the chat API know it: ``{"error": {"message": ...}}``."""
    try:
        str(data, "utf-8")
        _decoded(data, _Refusal)
    except ValueError:
        return False
    return True


def _decoded(data: bytes, kind: type[Any]) -> Any:
    try:
        try:
            return _decoders[kind].decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # it knows no halves of UTF-16 pairs, with which a stream may end an event
            return msgspec.convert(json.loads(data), kind)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
