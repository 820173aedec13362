"""The prompt of a text completion."""

from __future__ import annotations

from collections.abc import Mapping

from ponder.core.backend import Message, Request
from ponder.core.errors import InvalidProblem

__all__ = ["prompt_of"]


def prompt_of(request: Request) -> str:
    """The texts of the messages in their order (system, then user), a blank line after each, then the prefix.

    A single message of role ``prompt`` is the whole prompt, and nothing is added to it.

    Nothing else is added: no role names, no template. The blank line after the last text makes the reply a paragraph of
    its own, so that its first step is not empty. Empty texts are left out.

    Raises:
        InvalidProblem: a message holds more than text (an image, a tool call).
    """
    if [message.get("role") for message in request.messages] == ["prompt"]:
        return _text(0, request.messages[0]) + request.prefix
    texts = (_text(position, message) for position, message in enumerate(request.messages))
    return "".join(text + "\n\n" for text in texts if text) + request.prefix


def _text(position: int, message: Message) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") if isinstance(part, Mapping) else None for part in parts]
    if message.get("tool_calls") or not all(isinstance(text, str) for text in texts):
        raise InvalidProblem(
            f"message {position} holds more than text (an image, a tool call), which a text completion cannot carry; "
            "use the chat API, MODEL@http://host:port/v1"
        )
    return "\n".join(map(str, texts))
