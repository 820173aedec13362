"""An upstream that fails is left alone for a while, by those who saw it fail, and what was declared takes its place.

The libraries for this do not fit: pybreaker knows async code only under Tornado, aiobreaker is no longer maintained,
purgatory lets every request through while it tries whether the upstream is back, and counts a client that goes away as
a failure of the upstream.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from ponder.core.errors import BackendError, CallTimeout, PartlyFailed, RateLimited, Unreachable
from ponder.gateway.errors import BreakerOpen
from ponder.gateway.upstreams.circuit import COOLING, LONGEST_COOLING, Circuit, State

__all__ = ["COOLING", "LONGEST_COOLING", "THRESHOLD", "Breaker", "Kind", "State", "kind_of"]

THRESHOLD = 5
"""So many calls in a row have to fail."""

_OF_ONE = THRESHOLD - 2
"""As many of these at most may be of one key where they speak for all: a second one has to have seen more than one."""

Kind = Literal["unreachable", "silent", "broken", "status"]
"""No connection; no answer in time; half an answer, or none that can be read; an answer that it has failed (5xx)."""

_DEAD: frozenset[Kind] = frozenset({"unreachable", "silent"})
"""What a dead server does. The others a single request may bring about that the server does not stand."""

_PROBE = None
"""The witness that is no key."""


def kind_of(error: BackendError) -> Kind | None:
    """How a call has failed; None if the upstream is alive: it refuses, has too much to do, or has answered in part."""
    if not error.retryable or isinstance(error, RateLimited | PartlyFailed):
        return None
    if isinstance(error, Unreachable):
        return "unreachable" if error.status is None else "status"
    return "silent" if isinstance(error, CallTimeout) else "broken"


class Breaker:
    """Counts the failures of one upstream, by key and kind.

    After `THRESHOLD` failures of a key in a row no call of that key goes through until it has cooled down; then one
    does, whose outcome decides. For all keys it opens when several have seen failures since the last success of
    anybody, or one and a health probe: what one key brings about is not held against the others. A half-open one opens
    again when two have tried in vain. A failure is one after which the same call might succeed elsewhere (no
    connection, 5xx, silence, half a reply); an answer of 4xx shows that the upstream is alive, and so do some of
    several choices. What a client breaks off says nothing. It lives in one event loop.

    `failed` counts the failures so far, by key and kind. `suspect` is called when a key is refused after nothing has
    answered it: a probe may tell whether it is the same for all.
    """

    def __init__(self, upstream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.upstream = upstream
        self.failed: Counter[tuple[str, Kind]] = Counter()
        self.suspect: Callable[[], None] = lambda: None
        self._clock = clock
        self._all = Circuit(clock)
        self._keys: dict[str, Circuit] = {}
        self._dead: set[str] = set()
        self._witnesses: Counter[str | None] = Counter()

    @property
    def state(self) -> State:
        """What the next call of a key that has seen no failure would meet."""
        return self._all.state

    @property
    def alone(self) -> int:
        """How many keys are refused by themselves."""
        return sum(circuit.state == "open" for circuit in self._keys.values())

    def refusal(self, key: str) -> BreakerOpen | None:
        """Why a call of this key must not be made; None if it may be."""
        for circuit in (self._all, self._of(key)):
            if circuit.state == "open":
                return BreakerOpen(self.upstream, THRESHOLD, circuit.retry_after, alone=circuit is not self._all)
        return None

    def retry_after(self, key: str) -> float:
        """Seconds until a call of this key may be made, or tried; 0 if it may be now."""
        refusal = self.refusal(key)
        return refusal.retry_after if refusal else 0.0

    @contextmanager
    def call(self, key: str) -> Iterator[None]:
        """Around one call to the upstream, for a key.

        Raises:
            BreakerOpen: the call must not be made.
        """
        if (refusal := self.refusal(key)) is not None:
            raise refusal
        own, trying = self._of(key), self._all.state == "half-open"
        begun = self._all.begin(), own.begin()
        told, kind = False, None
        try:
            yield
            told = True
        except BackendError as error:
            told, kind = True, kind_of(error)
            raise
        finally:
            counts_for_all, counts = self._all.end(begun[0]), own.end(begun[1])
            if told and kind is None:
                self._succeeded(key, own if counts else None, for_all=counts_for_all)
            elif kind is not None:
                self._failed(key, kind, own if counts else None, for_all=counts_for_all, trying=trying)

    def probed(self, error: BackendError) -> None:
        """A look at the upstream's health has failed; one that succeeds says nothing of the calls of keys."""
        if kind_of(error) is not None and self._all.state != "open":
            self._bear_witness(_PROBE, _OF_ONE)

    def _of(self, key: str) -> Circuit:
        return self._keys.get(key) or self._keys.setdefault(key, Circuit(self._clock))

    def _succeeded(self, key: str, own: Circuit | None, *, for_all: bool) -> None:
        if own is not None:
            own.close()
            self._dead.discard(key)
        if not for_all:
            return
        self._witnesses.clear()
        if self._all.state != "closed":
            self._all.close()
            for other in self._dead:  # what they could not reach is back; what they brought about may not be
                self._keys[other].try_soon()
            self._dead.clear()

    def _failed(self, key: str, kind: Kind, own: Circuit | None, *, for_all: bool, trying: bool) -> None:
        self.failed[key, kind] += 1
        if own is not None:
            own.failures += 1
            if own.state != "closed" or own.failures >= THRESHOLD or trying:
                own.trip()
                (self._dead.add if kind in _DEAD else self._dead.discard)(key)
        if for_all:
            self._bear_witness(key, 1)
        if own is not None and own.state == "open" and kind in _DEAD:
            self.suspect()

    def _bear_witness(self, witness: str | None, failures: int) -> None:
        self._witnesses[witness] += failures
        seen = sum(min(times, _OF_ONE) for times in self._witnesses.values())
        enough = seen >= THRESHOLD if self._all.state == "closed" else len(self._witnesses) > 1
        if enough:
            self._all.trip()
            self._witnesses.clear()
