"""What a finder finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["TRIES", "Found", "last_places"]

TRIES = 16
"""Marks of one kind that are tried, from the last one back: a reply that repeats itself costs no more than others."""


class Found(NamedTuple):
    """A statement of an answer: where it begins, and what it says."""

    start: int
    value: str


def last_places(text: str, literal: str) -> Iterator[int]:
    """Where `literal` stands, the last place first, at most `TRIES` of them."""
    start = len(text)
    for _ in range(TRIES):
        start = text.rfind(literal, 0, start)
        if start < 0:
            return
        yield start
