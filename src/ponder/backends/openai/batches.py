"""Calls that ask for more choices than the server gives at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ponder.core.backend import Completion, Request, Usage

__all__ = ["merge", "split"]


def split(request: Request, most: int | None) -> list[Request]:
    """The request in parts of at most `most` choices; seeds are moved on, so that no part repeats another."""
    if most is None or request.n <= most:
        return [request]
    return [
        replace(
            request,
            n=min(most, request.n - first),
            seed=None if request.seed is None else request.seed + first,
            branches=request.branches[first : first + most],
        )
        for first in range(0, request.n, most)
    ]


def merge(parts: Sequence[Completion]) -> Completion:
    """The parts' choices in order; every part is charged for its own prompt."""
    if len(parts) == 1:
        return parts[0]
    usage = Usage(
        prompt=sum(part.usage.prompt for part in parts),
        cached=sum(part.usage.cached for part in parts),
        output=sum(part.usage.output for part in parts),
    )
    return Completion(tuple(choice for part in parts for choice in part.choices), usage)
