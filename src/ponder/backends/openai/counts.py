"""How many tokens a call took, whatever part of the count the server gives, and whether that can be true."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponder.core.backend import Progress, Request

__all__ = [
    "BYTES_PER_TOKEN",
    "Count",
    "Told",
    "Written",
    "apportion",
    "believed",
    "can_be",
    "ceiling",
    "count",
    "estimate",
    "estimate_prompt",
    "guess_prompt",
    "read_count",
    "share",
    "size_of",
    "size_of_calls",
    "size_of_prompt",
]

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English text; only used where a server does not count, or not credibly."""

FEWEST = 16
"""A server's count is not believed below one part in so many of the estimate: tokens of 64 bytes are rare."""

UNSEEN = 131_072
"""Tokens that a prompt may have beyond its bytes: templates, images, what a server looks up for itself."""


def ceiling(max_tokens: int) -> int:
    """The tokens, as estimated, at which a reply is cut that was to have `max_tokens`.

    Twice as many, because an estimate errs by that for white space, tables and rare scripts; some more for the
    shortest replies, whose one token may be long.
    """
    return 2 * max_tokens + 16


@dataclass(slots=True)
class Written:
    """What has come of a reply: bytes of text, reasoning and arguments of tools, in so many pieces."""

    size: int = 0
    pieces: int = 0

    def add(self, size: int) -> int:
        """One more piece; returns the tokens by which the estimate grows."""
        before = self.tokens
        self.size += size
        self.pieces += 1
        return self.tokens - before

    @property
    def tokens(self) -> int:
        """The estimate where nobody counted: a token for four bytes, and for each piece of a stream at least one."""
        return max(self.pieces, -(-self.size // BYTES_PER_TOKEN))


@dataclass(frozen=True, slots=True)
class Count:
    """The server's own count, in tokens; None where it gave none. `reasoning` is part of `output`."""

    prompt: int | None = None
    cached: int = 0
    output: int | None = None
    reasoning: int = 0


def read_count(usage: object) -> Count:
    """The ``usage`` object of a reply; what is no whole number, or less than zero, was not counted."""
    if not isinstance(usage, Mapping):
        return Count()
    prompt_details, output_details = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Count(
        prompt=_number(usage, "prompt_tokens"),
        cached=_number(prompt_details, "cached_tokens") or 0,
        output=_number(usage, "completion_tokens"),
        reasoning=_number(output_details, "reasoning_tokens") or _number(usage, "reasoning_tokens") or 0,
    )


def _number(fields: object, key: str) -> int | None:
    value: Any = fields.get(key) if isinstance(fields, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class Told:
    """What has been `written` of a reply, and the server's count of it.

    All choices together may have `limit` tokens. What has come since the server counted is added as estimated.
    """

    def __init__(self, limit: int) -> None:
        self.written = Written()
        self._limit = limit
        self._count = Count()
        self._since = 0

    def add(self, size: int) -> None:
        """One more piece has come, of so many bytes."""
        self._since += self.written.add(size)

    def tell(self, usage: object) -> None:
        """Take over a newer count; a part that it does not tell, or that cannot be, stays as it was."""
        new, old = read_count(usage), self._count
        output = old.output
        if new.output is not None and can_be(new.output, self.written, self._limit):
            output, self._since = new.output, 0
        self._count = Count(
            prompt=old.prompt if new.prompt is None else new.prompt,
            cached=new.cached or old.cached,
            output=output,
            reasoning=new.reasoning or old.reasoning,
        )

    @property
    def count(self) -> Count:
        """The count as of now."""
        output = self._count.output
        return self._count if output is None else replace(self._count, output=output + self._since)


def believed(told: Count, prompt_size: int, written: Written, limit: int) -> Count:
    """What of a server's count can be true; the rest is None, and estimated.

    `prompt_size` is the bytes of the request, `limit` the tokens that all choices together may have. No prompt is
    empty, and no text has more tokens than bytes; reasoning that a vendor hides is within the limit.
    """
    prompt, output = told.prompt, told.output
    if prompt is not None and not 1 <= prompt <= prompt_size + UNSEEN:
        prompt = None
    if output is not None and not can_be(output, written, limit):
        output = None
    if prompt == told.prompt and output == told.output:
        return told
    return replace(told, prompt=prompt, output=output)


def can_be(output: int, written: Written, limit: int) -> bool:
    """Whether so many tokens may have given what was written, where `limit` were allowed."""
    least = max(written.tokens // FEWEST, 1 if written.size else 0)
    return least <= output <= max(limit, written.size)


def count(total: int | None, single: Sequence[int | None], guesses: Iterable[int]) -> list[int]:
    """The tokens of each choice.

    `single` holds the server's count for each choice, `total` its count over all; where one of `single` is missing,
    the total is split in proportion to `guesses`, the estimates. Without a total it is these that count, because zero
    would be a free call.
    """
    if total is not None and len(single) == 1:
        return [total]
    exact = [tokens for tokens in single if tokens is not None]
    if total is not None and len(exact) < len(single):
        return apportion(total, list(guesses))
    return exact if len(exact) == len(single) else list(guesses)


def share(reasoning: int, tokens: Sequence[int], texts: Sequence[tuple[str, str]]) -> list[int]:
    """The reasoning tokens of each choice, given its `tokens` and its `texts`: the reasoning, and what is visible.

    The server's own count `reasoning` is split in proportion to the reasoning's length. Where it gives none, the
    tokens of a choice are split in proportion to the lengths of its two parts.
    """
    thinking = [len(hidden) for hidden, _ in texts]
    if reasoning:
        parts = apportion(reasoning, thinking if any(thinking) else tokens)
        return [min(part, limit) for part, limit in zip(parts, tokens, strict=True)]
    return [
        apportion(total, [len(visible), len(hidden)])[1] if hidden else 0
        for total, (hidden, visible) in zip(tokens, texts, strict=True)
    ]


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights`, exactly (largest remainder); evenly if all weights are zero."""
    if len(weights) == 1:
        return [total]
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    for at in by_remainder[: total - sum(parts)]:
        parts[at] += 1
    return parts


def size_of(text: str) -> int:
    """The bytes of a text, halves of UTF-16 pairs included."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def size_of_calls(calls: Iterable[object]) -> int:
    """The bytes of what a model has written to call tools: names and arguments, whole or in pieces."""
    size = 0
    for call in calls:
        for kind in ("function", "custom"):
            told = call.get(kind) if isinstance(call, Mapping) else None
            if isinstance(told, Mapping):
                size += sum(map(_size_of_part, (told.get("name"), told.get("arguments"), told.get("input"))))
    return size


def _size_of_part(said: object) -> int:
    return size_of(said if isinstance(said, str) else json.dumps(said)) if said else 0


def size_of_prompt(request: Request) -> int:
    """The bytes of what a request has to be read."""
    return sum(size_of(str(message.get("content", ""))) for message in request.messages) + size_of(request.prefix)


def estimate(size: int) -> int:
    """Tokens of a text of so many bytes that nobody counted."""
    return Written(size).tokens


def estimate_prompt(request: Request) -> int:
    """Tokens of a prompt that nobody counted."""
    return max(1, estimate(size_of_prompt(request)))


def guess_prompt(progress: Progress, request: Request) -> None:
    """The server had the prompt of a call that broke off, and has not counted it."""
    if not progress.prompt_tokens:
        progress.prompt_tokens = estimate_prompt(request)
        progress.estimated += progress.prompt_tokens
