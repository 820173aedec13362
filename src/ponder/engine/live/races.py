"""Children of gather and as_completed, run concurrently and replayable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio

from ponder.core.errors import StoreError
from ponder.engine.lanes import Lane
from ponder.engine.program import Cut, Escaped, close
from ponder.engine.resume.memory import Memory
from ponder.engine.state import State

__all__ = ["Child", "Race"]

Drive = Callable[[Lane, Coroutine[Any, Any, Any]], Awaitable[Any]]


class Child:
    """One child: its lane, its program, and what became of it."""

    def __init__(self, lane: Lane, program: Coroutine[Any, Any, Any]) -> None:
        lane.cancellable = True
        self.lane = lane
        self.program = program
        self.scope = anyio.CancelScope()
        self.done = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = None
        self.cut = False


class Race:
    """Some children under way.

    The journal holds the order in which the children of as_completed finished, and that the race was closed: before
    the others are cancelled, so that a resumed run cancels the same ones. Those are sealed: they make no new calls.
    """

    def __init__(self, lane: Lane, children: list[Child], memory: Memory) -> None:
        self.children = children
        self._name, self._step = lane.name, lane.step
        self._memory = memory
        self._finished: list[int] = [note["child"] for note in memory.recorded.notes(lane.name, lane.step, "done")]
        self._closed = memory.recorded.result(lane.name, lane.step, "close")
        self._taken = 0
        self._news = anyio.Event()
        for index, child in enumerate(children):
            child.lane.sealed |= self._closed is not None and index not in self._finished

    async def run(self, index: int, drive: Drive, *, ordered: bool) -> None:
        """The task of one child; `ordered` if the order of finishing matters."""
        child = self.children[index]
        try:
            with child.scope:
                child.result = await drive(child.lane, child.program)
            child.cut = child.scope.cancel_called
        except Cut:
            child.cut = child.lane.sealed or child.scope.cancel_called
            child.error = None if child.cut else _misfit()
        except Escaped:  # the driver ends the run; one that goes on with it shall find no sign of this
            child.cut = True
        except Exception as error:  # noqa: BLE001 - the parent gets it
            child.error = error
        finally:
            close(child.program)
            if ordered and not child.cut and index not in self._finished:
                self._finished.append(index)
                self._note(f"done{index}", {"child": index})
            child.done.set()
            self._news.set()
            self._news = anyio.Event()

    async def everything(self, lane: Lane, state: State) -> list[Any]:
        """All results in order; the first error ends the others."""
        while (failed := self._failed()) is None and not all(child.done.is_set() for child in self.children):
            await self._news.wait()
        if failed is not None:
            self._close({"child": failed})
            raise self.children[failed].error or _misfit()
        if any(child.cut for child in self.children):
            raise Cut
        for child in self.children:
            state.deepen(lane, child.lane.depth)
        return [child.result for child in self.children]

    def _failed(self) -> int | None:
        """The child whose error counts: the first one, or the one that counted in an earlier life of the run."""
        if self._closed is not None:
            index: int = self._closed["child"]
            return index if self.children[index].done.is_set() else None
        return next((index for index, child in enumerate(self.children) if child.error is not None), None)

    async def next(self, lane: Lane, state: State) -> tuple[bool, Any]:
        """The next result, in the order of finishing."""
        if self._taken == len(self.children):
            return False, None
        self._taken += 1
        while len(self._finished) < self._taken:
            await self._news.wait()
        child = self.children[self._finished[self._taken - 1]]
        await child.done.wait()
        state.deepen(lane, child.lane.depth)
        if child.error is not None:
            raise child.error
        return True, child.result

    async def close(self) -> None:
        """Cancel what still runs; returns when it is booked."""
        self._close({})
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel what still runs, without a record."""
        for child in self.children:
            child.lane.sealed = (
                True  # one that is cancelled before it has begun runs up to its first pause all the same
            )
            child.scope.cancel()
        for child in self.children:
            await child.done.wait()

    def _close(self, how: dict[str, Any]) -> None:
        if self._closed is None:
            self._closed = how
            self._note("close", how)

    def _note(self, part: str, result: dict[str, Any]) -> None:
        self._memory.note(self._name, self._step, part, result)


def _misfit() -> StoreError:
    return StoreError("the journal of this run does not fit the strategy; it cannot be resumed")
