"""Controllers on a real model in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ponder import asolve
from ponder.backends.llamacpp import LlamaCpp
from ponder.backends.weights import resolve
from ponder.core.errors import WeightsError

pytestmark = pytest.mark.anyio

MODEL = "local/smollm2-135m"


@pytest.fixture
async def model() -> AsyncIterator[LlamaCpp]:
    try:
        weights = resolve(MODEL)
    except WeightsError as error:
        pytest.skip(f"{MODEL} is neither in the cache nor to be had: {error}")
    model = LlamaCpp(MODEL, weights, context=2048, slots=8)
    yield model
    await model.aclose()


@pytest.mark.parametrize(
    ("spec", "probes"),
    [
        ("cmc@0(interval=8)", True),
        ("parallel-probe@0(interval=8)", True),
        ("controller:short-m-at-k(k=4,m=2,interval=8)", False),
    ],
)
async def test_branches_go_on_where_they_stood_and_probes_are_booked(model: LlamaCpp, spec: str, probes: bool) -> None:
    answer = await asolve("What is 3 + 4?", strategy=spec, model=model, max_tokens=32, seed=3)
    bill = answer.bill
    assert bill.output_tokens == sum(branch.tokens for branch in answer.branches)
    assert all(branch.tokens <= 32 for branch in answer.branches)
    assert (bill.probe_tokens > 0) == probes
    assert bill.sequential_tokens < bill.total_tokens
    assert all(branch.ending is not None for branch in answer.branches)


async def test_a_budget_holds(model: LlamaCpp) -> None:
    answer = await asolve(
        [{"role": "user", "content": "Tell a long story about a fox."}],
        strategy="parallel-probe@0(interval=8)",
        model=model,
        max_tokens=32,
        seed=3,
        budget="tokens=90",
    )
    assert answer.bill.total_tokens <= 90
    assert "budget tokens=90 reached" in answer.stopped_because
    assert "parallel-probe was stopped after" in answer.stopped_because
