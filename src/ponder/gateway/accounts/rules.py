"""What is left of rates and budgets: arithmetic, the same for every database."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ponder.gateway.accounts.base import Shortage, Want
from ponder.gateway.settings import Limits

__all__ = ["DAY", "NANO", "Sums", "nano_of", "share_of", "turn_of"]

NANO = 10**9
"""Money is kept in whole billionths of a dollar: a sum of fractions drifts."""

DAY = 86_400

MINUTE = 60.0


class Sums(NamedTuple):
    """Tokens and billionths of a dollar: those of a day, then all."""

    tokens_per_day: int
    usd_per_day: int
    tokens: int
    usd: int


def nano_of(usd: float) -> int:
    """Billionths of a dollar, rounded up; `n / NANO` dollars are `n` of them again."""
    # The product may be a little more than the number that was divided.
    whole = round(usd * NANO)
    return whole if whole / NANO >= usd else whole + 1


def turn_of(level: float, at: float, per_minute: int, now: float) -> tuple[float, float, float]:
    """Take a request out of a bucket that holds `per_minute` of them and fills up in a minute.

    At the time `at` there were `level`. Gives both anew, and the seconds until there is one, 0 if there was.
    """
    # A clock that is behind by less than a minute is that of another machine: time does not pass twice. One that was
    # set back gives nothing, and takes nothing.
    since = at if at - MINUTE < now else now
    passed = max(0.0, now - since)
    level = min(per_minute, level + passed * per_minute / MINUTE)
    at = since + passed
    if level >= 1:
        return level - 1, at, 0.0
    return level, at, at - now + (1 - level) * MINUTE / per_minute


def share_of(
    want: Want, holders: Sequence[tuple[str, Limits]], sums: Sequence[tuple[Sums, Sums]], now: float
) -> tuple[int, int] | Shortage:
    """The tokens and billionths of a dollar that can be reserved in all accounts at once.

    `sums` are what each of the `holders` has spent, and what is held for it.
    """
    tokens, nano = want.tokens, nano_of(want.usd)
    for (account, limits), (spent, held) in zip(holders, sums, strict=True):
        for limit, whole, used, waiting in _limits(limits, spent, held):
            money = limit.startswith("usd")
            least, left = nano_of(want.least_usd) if money else want.least_tokens, max(0, whole - used - waiting)
            if left < least:
                tomorrow = DAY - now % DAY if limit.endswith("_per_day") else None
                return Shortage(account, limit, tomorrow, held=least <= whole - used)
            tokens, nano = (tokens, min(nano, left)) if money else (min(tokens, left), nano)
    return tokens, nano


def _limits(limits: Limits, spent: Sums, held: Sums) -> Iterator[tuple[str, int, int, int]]:
    """The limits that are set: name, height, what is spent, what is held."""
    for name, used, waiting in zip(Sums._fields, spent, held, strict=True):
        limit = getattr(limits, name)
        if limit is not None:
            yield name, math.floor(limit * NANO) if name.startswith("usd") else limit, used, waiting
