"""Keeps a model's reasoning apart from its answer when both come as one text.

Reasoning models write ``<think> ... </think>`` before the visible text (DeepSeek-R1, 2025; QwQ, Qwen3). Some chat
templates put the opening tag into the prompt, so that only the closing one is seen. Hence the rule: the first
``</think>`` ends the reasoning, whether or not it was opened; after it every tag is plain text, since a model that
explains such tags must be able to show them.
"""

from __future__ import annotations

__all__ = ["CLOSE", "OPEN", "ThinkingStream", "closes", "opens_inside", "split_thinking"]

OPEN = "<think>"
CLOSE = "</think>"


def opens_inside(prefix: str) -> bool:
    """True when text that follows `prefix` starts inside a reasoning block."""
    return prefix.rfind(OPEN) > prefix.rfind(CLOSE)


def closes(text: str) -> bool:
    """True if the reasoning is over at the end of `text`."""
    return CLOSE in text


def split_thinking(text: str, inside: bool = False) -> tuple[str, str]:
    """The reasoning and the visible part of `text`, without the tags and the white space next to them.

    `inside` says that the reasoning was opened before `text` begins. Reasoning that never ends (the token limit came
    first) leaves no visible part. Where no tag stands at an end of the reasoning, as it goes on beyond `text`, the
    white space there is a part of it.
    """
    before, closed, after = text.partition(CLOSE)
    opened = before.lstrip().startswith(OPEN)
    if not (closed or opened or inside):
        return "", text
    if opened:
        before = before.lstrip().removeprefix(OPEN).lstrip()
    elif not inside:
        before = before.lstrip()
    return before.rstrip() if closed else before, after.lstrip()


class ThinkingStream:
    """`split_thinking` for text that arrives in pieces: says what each piece adds to the visible part.

    A piece that may be the start of a tag is held back until the next one settles it; `close` gives what is still held.
    """

    def __init__(self, inside: bool = False) -> None:
        self._held = ""
        self._find = self._find_close if inside else self._find_open
        self._shown = False

    def feed(self, piece: str) -> tuple[bool, str]:
        """Take the next piece.

        Returns ``(retract, visible)``: `visible` is to be shown next; `retract` says that all that was shown before
        turned out to be reasoning.
        """
        self._held += piece
        return self._find()

    def close(self) -> str:
        """The visible text still held at the end."""
        held, self._held = self._held, ""
        return "" if self._find == self._find_close else held

    def _find_open(self) -> tuple[bool, str]:
        start = self._held.lstrip()
        if start.startswith(OPEN):
            self._find = self._find_close
        elif OPEN.startswith(start):
            return False, ""
        else:
            self._find = self._find_orphan
        return self._find()

    def _find_close(self) -> tuple[bool, str]:
        _, closed, after = self._held.partition(CLOSE)
        if not closed:
            self._held = _possible_close(self._held)
            return False, ""
        self._held = after
        self._find = self._find_text
        return self._find()

    def _find_orphan(self) -> tuple[bool, str]:
        _, closed, after = self._held.partition(CLOSE)
        if closed:
            self._held = after
            self._find = self._find_text
            return True, self._find()[1]
        keep = _possible_close(self._held)
        visible = self._held[: len(self._held) - len(keep)]
        self._held = keep
        return False, visible

    def _find_text(self) -> tuple[bool, str]:
        visible = self._held if self._shown else self._held.lstrip()
        self._shown = self._shown or bool(visible)
        self._held = ""
        return False, visible


def _possible_close(text: str) -> str:
    """The longest end of `text` with which a closing tag may begin."""
    start = text.rfind("<", -len(CLOSE) + 1)
    tail = text[start:] if start >= 0 else ""
    return tail if CLOSE.startswith(tail) else ""
