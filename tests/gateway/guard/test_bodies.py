"""What clients send is held within bounds, and one key leaves room for the others."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.gateway.bodies import Bodies
from ponder.gateway.caps import Refused

MOST = 100
requests = st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(1, MOST), max_size=4)), max_size=20)


@given(requests)
def test_keys_never_hold_more_than_there_is_and_leave_something(sent: list[tuple[str, list[int]]]) -> None:
    bodies, held = Bodies(MOST), dict.fromkeys("abc", 0)
    with ExitStack() as stack:
        for key, pieces in sent:
            take = stack.enter_context(bodies.of(key))
            with suppress(Refused):
                for size in pieces:
                    take(size)
                    held[key] += size
            assert sum(held.values()) <= MOST * 3 / 4  # each of three holds no more than is left
    with bodies.of("a") as take:
        take(MOST // 2)  # all of it has been given back


def test_a_key_that_holds_all_that_it_may_is_refused_and_another_is_not() -> None:
    bodies = Bodies(MOST)
    with bodies.of("heavy") as take:
        take(MOST // 2)
        with pytest.raises(Refused, match="too much is sent at the same time") as refused, bodies.of("heavy") as more:
            more(1)
        assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "overloaded", 1.0)
        with bodies.of("light") as other:
            other(MOST // 4)
