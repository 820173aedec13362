"""How much a request that passes through asks for, read strictly: an upstream may take ``"64"`` for a number."""

from __future__ import annotations

from ponder.core.text.quoting import quoted
from ponder.gateway.errors import Refused

__all__ = ["choices_of", "whole"]

MOST = 10**9


def whole(field: str, value: object) -> int | None:
    """The value of a field that is a count, None if it is not given.

    Raises:
        Refused: it is no whole number, less than 1, or more than `MOST`.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise Refused(400, "invalid_request", f"{field}={quoted(value)} is not a whole number from 1 to {MOST:,}")
    return value


def choices_of(n: object, best_of: object = None, prompt: object = None) -> int:
    """How many replies are generated: `n`, or `best_of` if that is more, for each of the prompts.

    `prompt` is that of a text completion: a text, a list of texts, the tokens of one prompt, or a list of these.

    Raises:
        Refused: `n` or `best_of` is no whole number, or less than 1.
    """
    each = max(whole("n", n) or 1, whole("best_of", best_of) or 1)
    several = isinstance(prompt, list) and not set(map(type, prompt)) <= {int}
    return each * (len(prompt) if isinstance(prompt, list) and several else 1)
