"""A gateway whose upstream writes the worst that a model can write answers every key, and ``/ready`` all the while."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError

from tests.gateway.api.gateway_process import Gateway, serving
from tests.hostile.seed import SEED
from tests.hostile.test_fairness import HEAVY
from tests.hostile.test_replies import REPORTED, repeated, shapes
from tests.hostile.watching import watching
from tests.servers.chat import ChatServer, running
from tests.servers.replies import Said

LENGTH = 60_000
"""Characters of a hostile reply."""


def heavy(rng: random.Random) -> str:
    """An answer that computer algebra has to look at."""
    return f"Answer: \\boxed{{{rng.choice(list(HEAVY.values()))(rng.randrange(2, 40))}}}"


class Hostile(ChatServer):
    """Says what the last message names: the text of a shape, or answers that are hard to compare."""

    def __init__(self) -> None:
        super().__init__(says=self._hostile)
        self.texts: dict[str, str] = {}
        self._rng = random.Random(SEED)

    def _hostile(self, body: dict[str, Any], index: int) -> Said:
        asked = str(body["messages"][-1]["content"])
        name = next((name for name in self.texts if name in asked), None)
        text = heavy(self._rng) if name is None else self.texts[name]
        return Said([text[at : at + 4_000] for at in range(0, len(text), 4_000)], "stop")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Hostile]:
    server = Hostile()
    with running(server):
        yield server


@pytest.fixture(scope="module")
def gateway(upstream: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    store = tmp_path_factory.mktemp("hostile") / "runs.db"
    with serving("--model", f"m@{upstream.url}", store=store) as gateway:
        yield gateway


def ask(gateway: Gateway, question: str, model: str) -> int:
    """The status of one request that wants its answer within ten seconds."""
    try:
        reply = gateway.client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question}],
            max_tokens=60_000,
            timeout=120,
            extra_headers={"x-ponder-deadline": "10"},
        )
    except APIStatusError as error:
        return error.status_code
    assert reply.choices
    return 200


def test_replies_of_every_shape_pass_through_a_vote(gateway: Gateway, upstream: Hostile, tmp_path: Path) -> None:
    some = [*REPORTED, *shapes(random.Random(SEED), 5)]
    upstream.texts = {f"shape-{number}.": repeated(shape, LENGTH) for number, shape in enumerate(some)}
    with watching(gateway.url) as watch, ThreadPoolExecutor(2) as pool:
        for name, shape in zip(upstream.texts, some, strict=True):
            watch.during_now = repr(shape)
            statuses = pool.map(lambda name: ask(gateway, name, "ponder/self-consistency(n=3)/m"), [name] * 2)
            assert set(statuses) == {200}
    assert watch.looks > 0
    assert watch.refused == 0


def test_answers_that_are_hard_to_compare_hold_nobody_up(gateway: Gateway) -> None:
    with watching(gateway.url) as watch, ThreadPoolExecutor(6) as pool:
        watch.during_now = "heavy comparisons"
        heavy = [pool.submit(ask, gateway, f"heavy {number}", "ponder/self-consistency(n=4)/m") for number in range(5)]
        assert ask(gateway, "one more", "ponder/single/m") == 200
        assert {future.result() for future in heavy} == {200}
    assert watch.refused == 0
