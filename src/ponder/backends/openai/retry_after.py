"""When a server wants to be asked again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["read_retry_after"]

LONGEST = 86_400.0
"""Seconds; a server that wants to be left alone for more than a day has not meant it."""

_LONGEST_VALUE = 64


def read_retry_after(value: str) -> float | None:
    """The seconds in a ``Retry-After`` (RFC 9110, section 10.2.3), which is a number or a date.

    None if that is no time to wait: not there, neither of both, zero, the past, or more than `LONGEST`.
    """
    seconds = _seconds(value) if len(value) <= _LONGEST_VALUE else 0.0
    return seconds if 0 < seconds <= LONGEST else None


def _seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):  # the parser has its own ideas of what is wrong
        return 0.0
