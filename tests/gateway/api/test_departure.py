"""A client that goes away: what is done for it ends, and nothing else does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ponder.gateway.errors import Refused
from ponder.gateway.http.disconnect import Departure, WhileConnected, until_gone

pytestmark = pytest.mark.anyio


def request_of(departure: Departure) -> dict[str, Any]:
    scope: dict[str, Any] = {"type": "http"}
    departure.join(scope)
    return scope


async def waiting(departure: Departure, ended: list[str], future: asyncio.Future[None] | None = None) -> None:
    with WhileConnected(request_of(departure)):
        try:
            await (future or asyncio.get_running_loop().create_future())
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise


async def begun(departure: Departure, ended: list[str], future: asyncio.Future[None] | None = None) -> Any:
    task = asyncio.create_task(waiting(departure, ended, future))
    await asyncio.sleep(0)
    return task


async def test_the_block_is_cancelled_when_the_client_goes() -> None:
    departure, ended = Departure(), list[str]()
    task = await begun(departure, ended)
    departure.happen()
    with pytest.raises(ConnectionResetError):
        await task
    assert ended == ["cancelled"]
    assert task.cancelling() == 0


async def test_a_block_is_not_entered_for_a_client_that_has_gone() -> None:
    departure, ended = Departure(), list[str]()
    departure.happen()
    with pytest.raises(ConnectionResetError):
        await waiting(departure, ended)
    assert ended == []


async def test_the_next_request_of_a_connection_is_not_cancelled_for_the_last_one() -> None:
    departure, ended = Departure(), list[str]()
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    await waiting(departure, ended, done)
    later = asyncio.create_task(asyncio.sleep(0.01))
    departure.happen()
    await later
    assert ended == []


async def test_what_is_cancelled_from_elsewhere_says_that_the_server_stops() -> None:
    departure, ended = Departure(), list[str]()
    shared = asyncio.get_running_loop().create_future()
    task = await begun(departure, ended, shared)
    shared.cancel()
    with pytest.raises(Refused, match="shutting down"):
        await task


async def test_who_cancels_the_task_itself_gets_that() -> None:
    departure, ended = Departure(), list[str]()
    task = await begun(departure, ended)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_cancel_the_task() -> None:
    departure, ended = Departure(), list[str]()
    task = await begun(departure, ended)
    departure.happen()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_error_on_the_way_out_is_kept() -> None:
    departure = Departure()

    async def fail() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise KeyError("undoing it failed")

    async def failing() -> int:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(KeyError), WhileConnected(request_of(departure)):
            await fail()
        return task.cancelling()

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    departure.happen()
    assert await task == 0


@pytest.mark.parametrize("before", [True, False])
async def test_a_stream_can_wait_for_it(before: bool) -> None:
    departure = Departure()
    if before:
        departure.happen()
    with until_gone(request_of(departure)) as gone:
        assert gone.done() == before
        if not before:
            departure.happen()
        await gone
