"""Secrets in texts that a person or a log is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["HIDDEN", "hide"]

HIDDEN = "***"

SHORTEST = 8
"""Characters of a secret that is hidden; shorter ones are dummies (``x``, ``EMPTY``), and parts of any text."""

LONG = 20
"""Characters from which on a secret is hidden inside of other text, too: it is part of no word."""


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` with `HIDDEN` in the place of secrets: of whole tokens, and of long secrets wherever they stand."""
    pattern = _pattern(tuple(secrets))
    return text if pattern is None else pattern.sub(HIDDEN, text)


@lru_cache(maxsize=256)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    known = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
    parts = [re.escape(one) if len(one) >= LONG else rf"(?<![\w-]){re.escape(one)}(?![\w-])" for one in known]
    return re.compile("|".join(parts)) if parts else None
