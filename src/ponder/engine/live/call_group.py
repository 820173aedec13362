"""Calls of one action, made together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from ponder.engine.program import Cut

__all__ = ["together"]

T = TypeVar("T")


async def together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run concurrently; results in order. The first error cancels the others and is raised as it is."""
    if len(coroutines) == 1:
        return [await coroutines[0]]
    results: dict[int, T] = {}
    errors: list[Exception] = []
    begun: list[asyncio.Task[None]] = []

    async def run(index: int, coroutine: Coroutine[Any, Any, T]) -> None:
        task = asyncio.current_task()
        assert task is not None
        begun.append(task)
        if errors and not isinstance(errors[0], Cut):
            task.cancel()
        try:
            results[index] = await coroutine
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
            # In a replay those that the error had cancelled are cut, too, and perhaps before it.
            errors.insert(0 if errors and isinstance(errors[0], Cut) else len(errors), error)
            if not isinstance(error, Cut):
                # The others cancel themselves as they begin: one that never began would leave its branches open.
                for other in begun:
                    other.cancel()

    # A task of asyncio's own costs a quarter of anyio's, and every call passes here.
    async with asyncio.TaskGroup() as group:
        for index, coroutine in enumerate(coroutines):
            group.create_task(run(index, coroutine))
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(coroutines))]
