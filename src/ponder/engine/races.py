"""Children of gather and as_completed, run concurrently and replayable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio

from ponder.engine.calls import Cut
from ponder.engine.journal import Journal, Recorded
from ponder.engine.state import Lane, State

__all__ = ["Child", "Race"]

Drive = Callable[[Lane, Coroutine[Any, Any, Any]], Awaitable[Any]]


class Child:
    """One child: its lane, its program, and what became of it."""

    def __init__(self, lane: Lane, program: Coroutine[Any, Any, Any]) -> None:
        self.lane = lane
        self.program = program
        self.scope = anyio.CancelScope()
        self.done = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = None
        self.cancelled = False


class Race:
    """Some children under way. The order in which they finish is recorded, so that a resumed run sees the same."""

    def __init__(
        self, lane: Lane, children: list[Child], recorded: Recorded, journal: Journal | None, clock: Callable[[], float]
    ) -> None:
        self._name, self._step = lane.name, lane.step
        self._children = children
        self._recorded = recorded
        self._journal = journal
        self._clock = clock
        self._finished: list[int] = []
        self._taken: list[int] = []
        self._news = anyio.Event()
        self._seal_losers()

    def _seal_losers(self) -> None:
        """If an earlier life of the run has closed this race, the children it cancelled make no new calls."""
        parts = self._recorded.parts(self._name, self._step)
        if "close" in parts:
            winners = {entry.result["child"] for part, entry in parts.items() if part != "close" and entry.result}
            for index, child in enumerate(self._children):
                child.lane.sealed |= index not in winners

    async def run(self, child: Child, drive: Drive) -> None:
        """The task of one child."""
        child.lane.cancellable = True
        try:
            with child.scope:
                child.result = await drive(child.lane, child.program)
            child.cancelled = child.scope.cancelled_caught
        except Cut:
            child.cancelled = True
        except Exception as error:
            child.error = error
        finally:
            child.done.set()
            if not child.cancelled:
                self._finished.append(self._children.index(child))
            self._news.set()
            self._news = anyio.Event()

    async def everything(self, lane: Lane, state: State) -> list[Any]:
        """All results in order; the first error ends the others."""
        while len(self._finished) < len(self._children):
            self._raise_first_error()
            await self._news.wait()
        self._raise_first_error()
        for child in self._children:
            state.deepen(lane, child.lane.depth)
        return [child.result for child in self._children]

    def _raise_first_error(self) -> None:
        for index in self._finished:
            if (error := self._children[index].error) is not None:
                raise error

    async def next(self, lane: Lane, state: State) -> tuple[bool, Any]:
        """The next result, in the order of finishing."""
        if len(self._taken) == len(self._children):
            return False, None
        index = await self._next_index()
        self._taken.append(index)
        child = self._children[index]
        state.deepen(lane, child.lane.depth)
        if child.error is not None:
            raise child.error
        return True, child.result

    async def _next_index(self) -> int:
        part = f"next{len(self._taken)}"
        earlier = self._recorded.result(self._name, self._step, part)
        if earlier is not None:
            index: int = earlier["child"]
            await self._children[index].done.wait()
            return index
        while not (waiting := [index for index in self._finished if index not in self._taken]):
            await self._news.wait()
        self._note(part, {"child": waiting[0]})
        return waiting[0]

    async def close(self, lane: Lane) -> None:
        """Cancel what still runs; returns when it is booked."""
        await self.cancel()
        if "close" not in self._recorded.parts(self._name, self._step):
            self._note("close", {})

    async def cancel(self) -> None:
        """Cancel what still runs, without a record."""
        for child in self._children:
            child.scope.cancel()
        for child in self._children:
            await child.done.wait()

    def _note(self, part: str, result: dict[str, Any]) -> None:
        if self._journal is not None:
            self._journal.note(self._name, self._step, part, result, self._clock())
