"""How many tokens a call took, whatever part of the count the server gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.backend import Request

__all__ = ["Count", "apportion", "count", "estimate", "estimate_prompt", "read_count", "share"]

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English text; only used where a server counts nothing at all."""

MOST = 10**9
"""Tokens that no call has: a server that says more has not counted."""


@dataclass(frozen=True, slots=True)
class Count:
    """The server's own count, in tokens; None where it gave none. `reasoning` is part of `output`."""

    prompt: int | None = None
    cached: int = 0
    output: int | None = None
    reasoning: int = 0


def read_count(usage: object) -> Count:
    """The ``usage`` object of a reply."""
    if not isinstance(usage, dict):
        return Count()
    prompt_details, output_details = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Count(
        prompt=_number(usage, "prompt_tokens"),
        cached=_number(prompt_details, "cached_tokens") or 0,
        output=_number(usage, "completion_tokens"),
        reasoning=_number(output_details, "reasoning_tokens") or _number(usage, "reasoning_tokens") or 0,
    )


def _number(fields: object, key: str) -> int | None:
    value: Any = fields.get(key) if isinstance(fields, dict) else None
    return value if isinstance(value, int) and 0 <= value <= MOST else None


def count(total: int | None, single: Sequence[int | None], guesses: Iterable[int]) -> list[int]:
    """The tokens of each choice.

    `single` holds the server's count for each choice, `total` its count over all; where one of `single` is missing,
    the total is split in proportion to `guesses`. A guess is the number of log-probabilities, or of streamed pieces,
    or one token for `BYTES_PER_TOKEN` bytes of text, whichever is known first; without a total it is what counts,
    because zero would be a free call.
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


def estimate(text: str) -> int:
    """Tokens of a text that nobody counted."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def estimate_prompt(request: Request) -> int:
    """Tokens of a prompt that nobody counted."""
    return sum(estimate(str(message.get("content", ""))) for message in request.messages) + estimate(request.prefix)
