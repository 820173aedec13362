"""Clients that go away: whoever works for one is told by its connection, without a task that waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from ponder.gateway.errors import Refused
from ponder.gateway.http.asgi import Scope

__all__ = ["Departure", "WhileConnected", "until_gone"]

_IN_SCOPE = "ponder.departure"


class Departure:
    """That of the client of one connection; `happened` once it has gone."""

    def __init__(self) -> None:
        self.happened = False
        self._told: list[Callable[[], None]] = []

    def join(self, scope: Scope) -> None:
        """Stand in the scope of a request, where its application finds it."""
        scope[_IN_SCOPE] = self

    def happen(self) -> None:
        """The client goes away."""
        self.happened = True
        for tell in self._told:
            tell()

    def tell(self, who: Callable[[], None]) -> None:
        """Call `who` when it happens."""
        self._told.append(who)

    def forget(self, who: Callable[[], None]) -> None:
        """Call `who` no more."""
        self._told.remove(who)


def _departure_of(scope: Scope) -> Departure:
    """That of the client whose request it is."""
    found: Departure = scope[_IN_SCOPE]
    return found


class WhileConnected:
    """A block that is cancelled when the client goes away.

    Raises:
        ConnectionResetError: the client went away; what the block had begun is undone.
        Refused: what the block waited for was cancelled from elsewhere, because the server is to stop.
    """

    def __init__(self, scope: Scope) -> None:
        self._departure = _departure_of(scope)
        self._cancelled = False

    def __enter__(self) -> None:
        if self._departure.happened:
            raise _gone()
        task = asyncio.current_task()
        assert task is not None, "a server calls its application in a task"
        self._task = task
        self._departure.tell(self._cancel)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._departure.forget(self._cancel)
        gone = self._cancelled and not self._task.uncancel()
        if not isinstance(error, asyncio.CancelledError):
            return
        if gone:
            raise _gone() from None
        if not self._task.cancelling():
            raise Refused(503, "shutting_down", "the server is shutting down", retry_after=1.0) from None

    def _cancel(self) -> None:
        self._cancelled = True
        self._task.cancel()


@contextmanager
def until_gone(scope: Scope) -> Iterator[asyncio.Future[None]]:
    """A future that is done when the client has gone away."""
    departure, gone = _departure_of(scope), asyncio.get_running_loop().create_future()

    def tell() -> None:
        gone.set_result(None)

    departure.tell(tell)
    if departure.happened:
        tell()
    try:
        yield gone
    finally:
        departure.forget(tell)


def _gone() -> ConnectionResetError:
    return ConnectionResetError("the client went away")
