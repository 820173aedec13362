"""What clients send is held within bounds, and one key leaves room for the others."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ponder.gateway.errors import Refused
from ponder.gateway.http.body_memory import Bodies

MOST = 100
steps = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, MOST)), max_size=40)
"""What comes, in turn: a piece of a key's request, or (0) the end of the oldest request of that key."""


@settings(max_examples=2000)
@example([("a", 46), ("b", 14), ("c", 16)])  # 76 are held: three keys leave an eighth, not a quarter
@given(steps)
def test_each_key_holds_at_most_half_and_n_of_them_leave_one_part_in_two_to_the_n(steps: list[tuple[str, int]]) -> None:
    bodies, open_, held = Bodies(MOST), {key: list[ExitStack]() for key in "abcd"}, dict.fromkeys("abcd", 0)
    sizes: dict[str, list[int]] = {key: [] for key in held}
    with ExitStack() as everything:
        for key, size in steps:
            if not size and open_[key]:
                open_[key].pop(0).close()
                held[key] -= sizes[key].pop(0)
            elif size:
                open_[key].append(everything.enter_context(ExitStack()))
                sizes[key].append(0)
                fits = held[key] + size <= MOST - sum(held.values()) - size
                with nullcontext() if fits else pytest.raises(Refused):
                    open_[key][-1].enter_context(bodies.of(key))(size)
                    held[key] += size
                    sizes[key][-1] = size
            left, holding = MOST - sum(held.values()), sum(map(bool, held.values()))
            assert left * 2**holding >= MOST
            assert max(held.values()) <= MOST / 2
    with bodies.of("a") as take:
        take(MOST // 2)  # all of it has been given back


def test_the_bound_is_reached_and_another_key_may_still_take_half_of_the_rest() -> None:
    bodies = Bodies(128)
    with ExitStack() as stack:
        for key, most in {"a": 64, "b": 32, "c": 16, "d": 8}.items():
            take = stack.enter_context(bodies.of(key))
            with pytest.raises(Refused):
                take(most + 1)
            take(most)


def test_a_key_that_holds_all_that_it_may_is_refused_and_another_is_not() -> None:
    bodies = Bodies(MOST)
    with bodies.of("heavy") as take:
        take(MOST // 2)
        with pytest.raises(Refused, match="too much is sent at the same time") as refused, bodies.of("heavy") as more:
            more(1)
        assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "overloaded", 1.0)
        with bodies.of("light") as other:
            other(MOST // 4)
