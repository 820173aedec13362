"""The queue: never more than there are slots, nobody forgotten, and no key that starves the others."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.gateway.admission.fair_queue import FairQueue
from ponder.gateway.errors import Refused

pytestmark = pytest.mark.anyio


async def settle() -> None:
    """Let every task come to where it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


class Visits:
    """Requests that hold their slots until told, and the order in which they were let in."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.inside: dict[asyncio.Task[None], int] = {}
        self.most = 0

    async def visit(self, key: str, weight: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        async with self.queue.slots(key, weight):
            self.order.append(key)
            self.inside[task] = min(weight, self.queue.capacity)
            self.most = max(self.most, sum(self.inside.values()))
            try:
                await asyncio.Event().wait()
            finally:
                del self.inside[task]

    def come(self, key: str, weight: int = 1) -> asyncio.Task[None]:
        return asyncio.create_task(self.visit(key, weight))

    async def leave_all(self, tasks: list[asyncio.Task[None]], rng: random.Random) -> None:
        while any(not task.done() for task in tasks):
            await settle()
            if not self.inside:
                break
            rng.choice(list(self.inside)).cancel()
        await settle()


async def test_a_light_key_does_not_wait_behind_a_heavy_one() -> None:
    visits = Visits(FairQueue(2, 100, 60))
    tasks = [visits.come("heavy") for _ in range(50)]
    await settle()
    tasks.append(visits.come("light"))
    await visits.leave_all(tasks, random.Random(0))
    assert visits.order.index("light") <= 4


async def test_a_request_for_many_slots_gets_them_in_the_end() -> None:
    visits = Visits(FairQueue(4, 100, 60))
    tasks = [visits.come("small") for _ in range(40)]
    await settle()
    tasks.append(visits.come("large", 400))
    await visits.leave_all(tasks, random.Random(0))
    assert visits.order.index("large") <= 10


async def test_a_full_queue_refuses_the_youngest_of_the_longest_line() -> None:
    visits = Visits(FairQueue(1, 3, 60))
    heavy = [visits.come("heavy") for _ in range(4)]
    await settle()
    light = visits.come("light")
    await settle()
    assert [task.done() for task in (*heavy, light)] == [False, False, False, True, False]
    refused = heavy[3].exception()
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code) == (503, "overloaded")
    assert refused.retry_after is not None
    another = visits.come("heavy")
    await settle()
    assert isinstance(another.exception(), Refused)
    await visits.leave_all([*heavy[:3], light], random.Random(0))


@pytest.mark.parametrize(("patience", "seconds"), [(0.02, None), (0.02, 60), (60, 0.02)])
async def test_who_waits_too_long_is_refused_and_takes_nothing_along(patience: float, seconds: float | None) -> None:
    queue = FairQueue(1, 3, patience)
    async with queue.slots("a", 1):
        with pytest.raises(Refused, match=r"all slots were taken for 0\.02 s"):
            async with queue.slots("b", 1, seconds):
                raise AssertionError
    assert (queue.free, queue.waiting) == (1, 0)


async def test_closing_refuses_who_waits_and_who_comes() -> None:
    queue = FairQueue(1, 3, 60)
    visits = Visits(queue)
    inside, waiting = visits.come("a"), visits.come("b")
    await settle()
    queue.close()
    await settle()
    late = visits.come("c")
    await settle()
    for task in (waiting, late):
        assert "shutting down" in str(task.exception())
    inside.cancel()
    await settle()
    assert queue.free == 1


@given(
    capacity=st.integers(1, 6),
    comings=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 8), st.booleans()), max_size=40),
    seed=st.integers(0, 999),
)
def test_slots_are_never_overdrawn_and_all_come_back(
    capacity: int, comings: list[tuple[str, int, bool]], seed: int
) -> None:
    async def play() -> None:
        queue, rng = FairQueue(capacity, 100, 60), random.Random(seed)
        visits = Visits(queue)
        tasks = []
        gone = 0
        for key, weight, gives_up in comings:
            tasks.append(visits.come(key, weight))
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)
            if gives_up:
                gone += 1
                rng.choice(tasks).cancel()
        await visits.leave_all(tasks, rng)
        assert visits.most <= capacity
        assert (queue.free, queue.waiting) == (capacity, 0)
        assert all(task.done() for task in tasks)
        assert len(visits.order) >= len(comings) - gone

    asyncio.run(play())


@given(
    capacity=st.integers(1, 8),
    weights=st.fixed_dictionaries({key: st.lists(st.integers(1, 8), min_size=1, max_size=5) for key in "abc"}),
    seed=st.integers(0, 999),
)
def test_keys_that_always_have_requests_get_equal_shares(
    capacity: int, weights: dict[str, list[int]], seed: int
) -> None:
    async def play() -> None:
        visits, rng = Visits(FairQueue(capacity, 1000, 60)), random.Random(seed)
        had = dict.fromkeys(weights, 0)
        largest = min(capacity, max(max(sizes) for sizes in weights.values()))
        tasks = [visits.come(key, sizes[i % len(sizes)]) for key, sizes in weights.items() for i in range(30)]
        await settle()
        counted = dict.fromkeys(weights, 0)
        while all(counted[key] < 30 for key in weights):
            for key in visits.order:
                had[key] += min(capacity, weights[key][counted[key] % len(weights[key])])
                counted[key] += 1
            visits.order.clear()
            # Those that came while there was room have an advance of at most the room there was.
            assert max(had.values()) - min(had.values()) <= 2 * largest + capacity
            rng.choice(list(visits.inside)).cancel()
            await settle()
        for task in tasks:
            task.cancel()
        await settle()

    asyncio.run(play())
