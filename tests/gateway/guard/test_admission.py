"""Who is let in, and who is not."""

from __future__ import annotations

import pytest

from ponder.core.budget import Budget
from ponder.core.ledger import Bill
from ponder.gateway.admission import Admission, Ask, Refused
from ponder.gateway.config import Caps, Config

pytestmark = pytest.mark.anyio


async def test_a_request_is_let_in_and_settled() -> None:
    async with Admission(Config()).admit(None, Ask(upstream="local", prompt_bytes=10)) as permit:
        permit.settle(Bill(output_tokens=3))
    assert permit.bill == Bill(output_tokens=3)


async def test_a_prompt_that_is_too_large_is_refused() -> None:
    admission = Admission(Config(caps=Caps(prompt_bytes=1000)))
    with pytest.raises(Refused, match="1,001 bytes of prompt; at most 1,000") as refused:
        async with admission.admit(None, Ask(upstream="local", prompt_bytes=1001, budget=Budget(tokens=1))):
            raise AssertionError
    assert (refused.value.status, refused.value.code) == (413, "prompt_too_large")
