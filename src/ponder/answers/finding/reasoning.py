"""What of a reply is reasoning, and what is said to the reader."""

from __future__ import annotations

import re

__all__ = ["visible"]

_NAMES = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis"
_MARK = re.compile(
    rf"<(?P<close>/?)(?:{_NAMES})>|\[(?P<bracket>/?)THINK\]|<\|(?P<of>begin|end)_of_thought\|>|◁(?P<wedge>/?)think▷",
    re.IGNORECASE,
)
_CHANNEL = "<|channel|>"
_MESSAGE = "<|message|>"
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|call)\|>")


def visible(text: str) -> str:
    """`text` without its reasoning: tags, brackets and channels; what is never closed is reasoning to the end.

    A mark that closes what was never opened ends reasoning from the start of the text: servers strip the first mark.
    """
    if _CHANNEL in text:
        text = _final_channel(text)
    parts: list[str] = []
    depth = said = 0
    for mark in _MARK.finditer(text):
        closing = bool(mark["close"] or mark["bracket"] or mark["wedge"] or mark["of"] in ("end", "END"))
        if closing:
            if depth == 0:
                parts.clear()
            depth = 0
            said = mark.end()
        elif depth == 0:
            parts.append(text[said : mark.start()])
            depth = 1
    if depth == 0:
        parts.append(text[said:])
    return "".join(parts)


def _final_channel(text: str) -> str:
    """What stands in the last channel that is for the reader (OpenAI's harmony format); nothing if there is none."""
    for part in reversed(text.split(_CHANNEL)):
        name, message, content = part.partition(_MESSAGE)
        if message and name.strip().startswith("final"):
            end = _CHANNEL_END.search(content)
            return content[: end.start()] if end else content
    return text.split(_CHANNEL, 1)[0]
