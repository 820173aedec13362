"""One key asks for heavy work or makes the upstream fail: what that costs the others is one turn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from ponder.api import Job, execute
from ponder.backends.scripted import Scripted
from ponder.core.answer import Answer
from ponder.core.registry import parse_spec
from ponder.core.settings import Settings
from ponder.workers.pool import Undecided, Workers
from ponder.workers.share import sharing

pytestmark = pytest.mark.anyio

REQUESTS = 24


def trigonometry(k: int) -> str:
    return rf"\frac{{\sin^{{{k}}}(x)+\cos^{{{k + 1}}}(x)}}{{\tan^{{{k}}}(x)+1}}"


def fractions(k: int) -> str:
    return "+".join(rf"\frac{{x^{{{i + 2}}}+{k + i}}}{{x^{{{i + 1}}}-{k + 2 * i + 1}}}" for i in range(6))


def integral(k: int) -> str:
    return rf"\int_0^{{{k}}} e^{{-x^2}}\sin(x^3) dx"


HEAVY: dict[str, Callable[[int], str]] = {one.__name__: one for one in (trigonometry, fractions, integral)}


class Watched(Workers):
    """A pool that says whose jobs came to their end, in which order."""

    def __init__(self) -> None:
        super().__init__(size=1, seconds=0.3)
        self.ended: list[str] = []
        self.asked = asyncio.Semaphore(0)
        self.futures: list[Future[Any]] = []
        self.over = False

    def submit(self, name: str, *arguments: Any) -> Future[Any]:
        if self.over:
            raise Undecided
        share, future = sharing(), super().submit(name, *arguments)
        assert share is not None
        future.add_done_callback(lambda _: self.ended.append(share.owner))
        self.futures.append(future)
        self.asked.release()
        return future


@pytest.fixture
async def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    pool = Watched()
    monkeypatch.setattr("ponder.answers.equivalence.shared_workers", lambda: pool)
    yield pool
    pool.close()


async def end(pool: Watched, requests: list[asyncio.Task[Answer]]) -> None:
    """What is left to be compared is left; a run that is under way comes to its end."""
    pool.over = True
    for future in pool.futures:
        future.cancel()
    await asyncio.gather(*requests)


async def ask(owner: str, *boxed: str) -> Answer:
    """What a gateway does for a request of this key whose replies are these."""
    model = Scripted([rf"\boxed{{{one}}}" for one in boxed])
    plan = parse_spec(f"self-consistency(n={len(boxed)})")
    messages = ({"role": "user", "content": "?"},)
    job = Job(messages=messages, strategy=plan.spec, model=model.name, settings=Settings(), seed=0, owner=owner)
    return await execute(job, model, plan=plan)


@pytest.mark.parametrize("shape", HEAVY)
async def test_a_comparison_of_one_key_waits_for_one_turn_of_another(pool: Watched, shape: str) -> None:
    draw = random.Random(shape)
    numbers = draw.sample(range(3, 60), 2 * REQUESTS)
    heavy = [
        asyncio.create_task(ask("greedy", HEAVY[shape](first), HEAVY[shape](second)))
        for first, second in zip(numbers[::2], numbers[1::2], strict=True)
    ]
    for _ in heavy:
        await pool.asked.acquire()
    before = len(pool.ended)
    answer = await ask("modest", r"\sqrt{8}", r"2\sqrt{2}")
    assert len(answer.votes) == 1
    assert pool.ended[before:].index("modest") <= 2, "one that was under way, and one turn"
    await end(pool, heavy)


async def test_what_a_normal_form_decides_does_not_wait_at_all(pool: Watched) -> None:
    heavy = [asyncio.create_task(ask("greedy", integral(k), integral(k + 60))) for k in range(3, 3 + REQUESTS)]
    for _ in heavy:
        await pool.asked.acquire()
    asked = pool.jobs
    for pair in (("0.5", r"\frac12"), ("x + 1", "x+1"), ("B", "(B)"), ("5", "6"), ("Paris", "paris")):
        await ask("modest", *pair)
        await ask("greedy", *pair)
    assert pool.jobs == asked
    await end(pool, heavy)
