"""What one run has of the workers: a turn among others, and some of their time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["ALLOWANCE", "Share", "sharing"]

ALLOWANCE = 20.0
"""Seconds of CPU time that the workers give to one run: hundreds of comparisons, or ten that do not end."""

_numbers = itertools.count(1)


class Share:
    """The part of one run: it takes turns as `owner`, and has `seconds` of the workers' CPU time, of which it `spent`.

    Without an owner it is one by itself. It is `short` once a job was not done because its seconds were used up; jobs
    that are being done then come to their end.
    """

    def __init__(self, owner: str | None = None, seconds: float = ALLOWANCE) -> None:
        self.owner = f"run {next(_numbers)}" if owner is None else owner
        self.seconds = seconds
        self.spent = 0.0
        self.short = False

    @property
    def used_up(self) -> bool:
        """True if no further job is done for it."""
        return self.spent >= self.seconds

    @property
    def notes(self) -> tuple[str, ...]:
        """What the run's answer has to say of it."""
        if not self.short:
            return ()
        note = f"comparing and checking answers took more than the {self.seconds:g} s of CPU time that a run has for it"
        return (f"{note}; what was left counts as different, or not passed, and of long replies the end was read",)

    @contextmanager
    def working(self) -> Iterator[None]:
        """What is asked of workers inside, also by tasks that begin there, is asked by this run."""
        before = _current.set(self)
        try:
            yield
        finally:
            _current.reset(before)


_current: ContextVar[Share | None] = ContextVar("share", default=None)


def sharing() -> Share | None:
    """The share of the run that this task works for; None outside of runs, where nobody counts."""
    return _current.get()
