"""Calls of one action, made together."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import anyio

from ponder.engine.calls import Cut

__all__ = ["together"]

T = TypeVar("T")


async def together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run concurrently; results in order. The first error cancels the others and is raised as it is."""
    if len(coroutines) == 1:
        return [await coroutines[0]]
    results: dict[int, T] = {}
    errors: list[Exception] = []

    async def run(index: int, coroutine: Coroutine[Any, Any, T]) -> None:
        try:
            results[index] = await coroutine
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
            # In a replay those that the error had cancelled are cut, too, and perhaps before it.
            errors.insert(0 if errors and isinstance(errors[0], Cut) else len(errors), error)
            if not isinstance(error, Cut):
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for index, coroutine in enumerate(coroutines):
            group.start_soon(run, index, coroutine)
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(coroutines))]
