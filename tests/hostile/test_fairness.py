"""One key asks for heavy work or makes the upstream fail: what that costs the others is one turn."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest

from ponder.api import Job, execute
from ponder.backends.scripted import Scripted
from ponder.core.answer import Answer
from ponder.core.settings import Settings
from ponder.engine.methods import parse_spec
from ponder.gateway.upstreams.breaker import THRESHOLD
from ponder.workers.pool import Undecided, Workers
from ponder.workers.share import sharing
from tests.servers.chat import ChatServer, running
from tests.servers.faults import NAMED

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
    for module in ("answers", "equivalence"):
        monkeypatch.setattr(f"ponder.answers.{module}.shared_workers", lambda: pool)
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


FAULTS = ("500", "half-json", "cut-midstream", "hang")
WAYS = ("", "ponder/self-consistency(n=2)/")
UPSTREAM = """
[upstreams.{name}]
url = "{url}"
models = ["{name}-fine", "{name}-poison"]
timeout = 1.0
"""


def asked(url: str, key: str, model: str) -> tuple[int, str | None]:
    """The status and code of the answer to a chat."""
    body = {"model": model, "messages": [{"role": "user", "content": "?"}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        with urlopen(UrlRequest(f"{url}/chat/completions", json.dumps(body).encode(), headers), timeout=60) as reply:
            return reply.status, None
    except HTTPError as error:
        return error.code, json.load(error)["error"]["code"]


@contextmanager
def gateway(place: Path, server: ChatServer) -> Iterator[tuple[str, list[str]]]:
    """``ponder serve`` in front of an upstream for each fault and way, and the keys of mallory and alice."""
    config, parts = place / "gateway.toml", ['[server]\nstore = "state.db"\n']
    for fault, way in itertools.product(FAULTS, WAYS):
        name = f"{fault}-{WAYS.index(way)}"
        server.faulty[f"{name}-poison"] = NAMED[fault]
        parts.append(UPSTREAM.format(name=name, url=server.url))
    config.write_text("".join(parts))
    ponder, options = str(Path(sys.executable).with_name("ponder")), ("--config", str(config))
    keys = [
        subprocess.run([ponder, "keys", "add", name, *options], capture_output=True, text=True, check=True).stdout
        for name in ("mallory", "alice")
    ]
    process = subprocess.Popen([ponder, "serve", "--port", "0", *options], text=True, stdout=-1, stderr=-3)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split(" at ")[1].split(";")[0], [key.strip() for key in keys]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_key_whose_requests_all_fail_is_left_alone_and_another_is_served(tmp_path: Path) -> None:
    def alternate(fault: str, way: str) -> tuple[list[Any], list[Any]]:
        name = f"{way}{fault}-{WAYS.index(way)}"
        seen = [
            (asked(url, mallory, f"{name}-poison"), asked(url, alice, f"{name}-fine")) for _ in range(THRESHOLD + 2)
        ]
        return [one for one, _ in seen], [other for _, other in seen]

    with running() as server, gateway(tmp_path, server) as (url, (mallory, alice)), ThreadPoolExecutor(8) as threads:
        cases = list(itertools.product(FAULTS, WAYS))
        found = dict(zip(cases, threads.map(alternate, *zip(*cases, strict=True)), strict=True))
    for case, (failing, served) in found.items():
        assert served == [(200, None)] * len(served), case
        assert failing[0][0] in (502, 500, 504), case
        assert failing[-1] == (503, "upstream_down"), case
