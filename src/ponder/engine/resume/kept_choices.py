"""What a call keeps whose choices did not all fail: only the others are asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ponder.core.backend import Request
from ponder.core.completion import Choice
from ponder.core.errors import BackendError, BudgetExhausted, PartlyFailed
from ponder.engine.resume import encoding as records
from ponder.engine.resume.journal import Entry

__all__ = ["Kept"]


class Kept:
    """The complete choices of one call, those of the run's earlier lives included: `rows` are what they wrote."""

    def __init__(self, request: Request, rows: Iterable[Entry]) -> None:
        self._request = request
        named = len(request.branches) == request.n
        self._names = request.branches if named else tuple(map(str, range(request.n)))
        self._choices: dict[str, Choice] = {}
        for row in rows:
            known = records.read_kept(row.result or {})
            self._choices.update((name, choice) for name, choice in known.items() if name in self._names)

    def __bool__(self) -> bool:
        return bool(self._choices)

    @property
    def rest(self) -> Request:
        """The request for what is still missing."""
        missing = self._missing()
        if len(missing) == self._request.n:
            return self._request
        seed = self._request.seed
        return replace(
            self._request,
            n=len(missing),
            branches=tuple(self._names[at] for at in missing) if self._request.branches else (),
            seed=None if seed is None else (seed + missing[0]) & 0x7FFFFFFF,
        )

    def take(self, failure: PartlyFailed) -> dict[str, Choice]:
        """Keep what the latest call for the rest has brought; returns it."""
        missing = self._missing()
        new = {self._names[missing[at]]: choice for at, choice in failure.choices.items()}
        self._choices |= new
        return new

    def whole(self, rest: Sequence[Choice]) -> tuple[Choice, ...]:
        """All choices, of which `rest` is what has come of the missing ones."""
        if not self._choices:
            return tuple(rest)
        coming = iter(rest)
        return tuple(self._choices.get(name) or next(coming, None) or Choice("", 0, "length") for name in self._names)

    def failure(self, cause: BackendError | BudgetExhausted) -> PartlyFailed:
        """The error of the whole call, with all that was kept."""
        places = {at: self._choices[name] for at, name in enumerate(self._names) if name in self._choices}
        return PartlyFailed(str(cause), places, cause=cause)

    def _missing(self) -> list[int]:
        return [at for at, name in enumerate(self._names) if name not in self._choices]
