"""Caps: the worst that a request can come to is known, and bounded, before it begins."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ponder
from ponder.backends.scripted import Scripted
from ponder.controllers import SHIPPED as CONTROLLERS
from ponder.core.backend import Capability, Request
from ponder.core.bill import Price
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.problem import Problem
from ponder.engine.live.worst_cost import PART
from ponder.engine.methods import parse_spec, runnable
from ponder.gateway.admission.demand import Ask, demand
from ponder.gateway.admission.fanout import CHECK_TOKENS, fanout
from ponder.gateway.errors import Refused
from ponder.gateway.settings import Caps
from ponder.gateway.wire.fields import images_in
from ponder.strategies import SHIPPED as STRATEGIES
from ponder.verifiers import PYes


def refusal(ask: Ask, caps: Caps) -> Refused:
    with pytest.raises(Refused) as refused:
        demand(ask, caps, 1000)
    return refused.value


def ask(**values: Any) -> Ask:
    return Ask(**{"upstream": "u", "prompt_bytes": 10, **values})


@pytest.mark.parametrize(
    ("asked", "caps", "said"),
    [
        (ask(prompt_bytes=1001), Caps(prompt_bytes=1000), "1,001 bytes of prompt; at most 1,000"),
        (ask(n=65), Caps(), "65 choices; at most 64"),
        (ask(strategy="self-consistency(n=65)"), Caps(), "65 branches; at most 64"),
        (ask(strategy="self-consistency(n=8)", n=9), Caps(), "72 branches; at most 64"),
        (ask(strategy="esc(n=60,window=20)"), Caps(branches=10), "20 branches at the same time; at most 10"),
        (ask(strategy="cmc(interval=1)", max_tokens=500), Caps(), "500 steps of one branch"),
        (ask(max_tokens=1001), Caps(tokens=1000), "1,001 tokens of reply, over all choices; at most 1,000"),
        (ask(budget=Budget(tokens=2000)), Caps(tokens=1000), "2,000 tokens of budget; at most 1,000"),
        (ask(budget=Budget(seconds=61)), Caps(seconds=60), "61 seconds until the deadline; at most 60"),
        (ask(budget=Budget(usd=2), price=Price(1, 1, 1, "given")), Caps(usd=1), "2 dollars of budget; at most 1"),
        (ask(), Caps(usd=1), "the price of this model is not known"),
        (ask(strategy="self-consistancy"), Caps(), "did you mean 'self-consistency'"),
        (ask(strategy="best-of-n", verifier="./evil.py:run"), Caps(), "cannot be used in a request"),
        (ask(strategy="best-of-n", verifier="p-yes(k=99999)"), Caps(), "cannot be used in a request"),
    ],
)
def test_what_is_above_a_cap_is_refused_with_the_figures(asked: Ask, caps: Caps, said: str) -> None:
    refused = refusal(asked, caps)
    assert said in str(refused)
    assert refused.status in (400, 413)


def test_what_the_client_leaves_open_is_limited_not_refused() -> None:
    made = demand(ask(strategy="self-consistency(n=8)", max_tokens=1000), Caps(tokens=3000), 1000)
    assert made.budget.tokens == made.tokens == 3000
    assert made.budget.seconds == 600


def test_the_tighter_of_cap_and_budget_holds() -> None:
    made = demand(ask(strategy="single", budget=Budget(tokens=2000, seconds=5)), Caps(tokens=3000), 1000)
    assert (made.budget.tokens, made.budget.seconds) == (2000, 5)


def test_a_method_of_ones_own_runs_on_a_budget() -> None:
    @ponder.strategy("nobody-knows")
    async def own(s: ponder.Session) -> ponder.Answer:
        return ponder.vote(await s.extend(await s.sample(4096)))

    made = demand(ask(strategy="nobody-knows", max_tokens=100), Caps(n=5, branches=3), 1000)
    assert (made.budget.calls, made.budget.tokens, made.alive) == (3, 300, 3)
    model = Scripted(["Answer: 1"])
    ponder.solve("?", strategy="nobody-knows", model=model, budget=made.budget, max_tokens=100)
    assert model.calls == 3


def test_the_fan_out_of_everything_that_is_shipped_is_known() -> None:
    shipped = {*STRATEGIES, *(name if name in runnable() else f"controller:{name}" for name in CONTROLLERS)}
    assert {name for name in shipped if fanout(runnable()[name].plan(0.5), 1000) is None} == set()


class Varied(Scripted):
    """A model that answers at random, one completion a call, and counts what it is asked at the same time."""

    def __init__(self, seed: int, kinds: int) -> None:
        rng = random.Random(seed)
        super().__init__(
            lambda request, index: "so " * rng.randrange(40) + f"Answer: {rng.randrange(kinds)}",
            capabilities=frozenset(Capability) - {Capability.N},
        )
        self.alive = self.most = self.tokens = 0

    async def generate(self, request: Request, progress: Any) -> Completion:
        self.alive += 1
        self.most = max(self.most, self.alive)
        try:
            await asyncio.sleep(0)
            done = await super().generate(request, progress)
        finally:
            self.alive -= 1
        self.tokens += done.usage.output
        return done


SPECS = st.one_of(
    st.builds(
        "{}@{:.2f}".format,
        st.sampled_from([*runnable()]).filter(lambda name: fanout(runnable()[name].plan(0.5), 1) is not None),
        st.floats(0, 1),
    ),
    st.builds("adaptive-consistency(n={},batch={})".format, st.integers(1, 9), st.integers(1, 20)),
    st.builds("esc(n={},window={})".format, st.integers(1, 9), st.integers(1, 20)),
    st.builds("short-m-at-k(m={},k={})".format, st.integers(1, 20), st.integers(1, 9)),
    st.builds("cmc(start={},n={},widen={})".format, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    st.builds("short-waves(n={},k={},interval={})".format, st.integers(1, 9), st.integers(1, 20), st.integers(4, 30)),
)


@settings(max_examples=60)
@given(spec=SPECS, seed=st.integers(0, 99), kinds=st.integers(1, 5), k=st.integers(0, 1))
def test_no_run_does_more_than_its_fan_out(spec: str, seed: int, kinds: int, k: int) -> None:
    verifier = f"p-yes(k={k})" if parse_spec(spec).needs_verifier else None
    bound = fanout(parse_spec(spec), 48, verifier)
    assert bound is not None
    model = Varied(seed, kinds)
    answer = ponder.solve("?", strategy=spec, model=model, max_tokens=48, verifier=verifier, seed=seed)
    assert len(answer.branches) <= bound.width
    assert model.calls <= bound.calls
    assert model.most <= bound.alive
    assert answer.bill.total_tokens <= bound.tokens


@settings(max_examples=40)
@given(
    spec=SPECS,
    seed=st.integers(0, 99),
    n=st.integers(1, 64),
    tokens=st.integers(48, 2000),
    branches=st.integers(1, 64),
)
def test_nothing_that_is_let_in_goes_above_the_caps(spec: str, seed: int, n: int, tokens: int, branches: int) -> None:
    caps = Caps(n=n, tokens=tokens, branches=branches)
    verifier = "p-yes" if parse_spec(spec).needs_verifier else None
    try:
        made = demand(ask(strategy=spec, max_tokens=48, verifier=verifier), caps, 48)
    except Refused:
        return
    model = Varied(seed, 3)
    answer = ponder.solve(
        "?", strategy=spec, model=model, max_tokens=48, verifier=verifier, seed=seed, budget=made.budget
    )
    assert model.tokens <= made.tokens <= tokens
    assert answer.bill.total_tokens <= tokens
    assert model.most <= made.alive <= branches
    assert len(answer.branches) <= n


def test_the_bound_on_a_check_is_what_the_verifier_asks_for() -> None:
    asked: list[Request] = []

    async def reply(request: Request) -> Completion:
        asked.append(request)
        return Completion(tuple(Choice("Yes", 1, "stop") for _ in range(request.n)), Usage())

    branch = Branch(id="b", text="Answer: 4", answer="4")
    asyncio.run(PYes(3).score(Problem.of("?"), branch, reply))
    assert [request.max_tokens for request in asked] == [CHECK_TOKENS, 1, 1, 1]


@given(usd=st.floats(1e-6, 10), prompt=st.integers(0, 10**6), n=st.integers(1, 64), reply=st.integers(1, 10**5))
def test_the_worst_case_in_dollars_covers_what_the_tokens_cost(usd: float, prompt: int, n: int, reply: int) -> None:
    price = Price(usd, usd / 2, 4 * usd, "given")
    made = demand(ask(prompt_bytes=prompt, n=n, max_tokens=reply, price=price), Caps(), 1000)
    assert made.usd >= price.cost(prompt, 0, n * reply)


def test_an_image_may_cost_more_than_its_address_is_long() -> None:
    part, picture = {"type": "text", "text": "and this?"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}
    text = {"messages": [{"content": "What is this?"}, {"content": [part]}]}
    image = {"messages": [{"content": [part, picture]}]}
    nothing = ({}, {"messages": 7}, {"messages": [7, {"content": {}}, {"content": ["x", None]}]})
    assert [images_in(fields) for fields in (text, image, *nothing)] == [0, 1, 0, 0, 0]
    seen, unseen = (demand(ask(price=Price(1, 1, 1, "given"), images=n), Caps(), 1000).least_usd for n in (1, 0))
    assert seen - unseen == pytest.approx(PART * 1e-6)
