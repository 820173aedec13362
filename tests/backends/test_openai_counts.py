"""Every token is counted once, whatever part of the count the server gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.backends.openai.counts import Count, apportion, count, read_count, share

SIZES = st.lists(st.integers(0, 10_000), min_size=1, max_size=20)


def said(thinking: int, visible: int) -> tuple[str, str]:
    """Reasoning, and what is visible, of so many characters."""
    return "t" * thinking, "v" * visible


@given(st.integers(0, 1_000_000), SIZES)
def test_parts_add_up_and_differ_from_the_exact_share_by_less_than_one(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    if any(weights):
        assert all(abs(part - total * w / sum(weights)) < 1 for part, w in zip(parts, weights, strict=True))


def test_a_total_is_split_by_what_each_choice_seems_to_have() -> None:
    assert count(30, [None, None], [1, 2]) == [10, 20]
    assert count(30, [None, 7], [1, 2]) == [10, 20]
    assert count(30, [None, None], [0, 0]) == [15, 15]


def test_single_counts_win_over_a_total_that_is_for_one_choice_only() -> None:
    assert count(6, [6, 5], [1, 1]) == [6, 5]


def test_without_any_count_the_guess_counts() -> None:
    assert count(None, [None, None], [4, 3]) == [4, 3]


def test_reasoning_is_split_by_the_servers_count_or_by_length() -> None:
    assert share(15, [20], [said(1, 80)]) == [15]
    assert share(0, [20], [said(25, 75)]) == [5]
    assert share(0, [20], [said(0, 75)]) == [0]
    assert share(30, [20, 20], [said(100, 5), said(200, 5)]) == [10, 20]
    assert share(30, [20, 20], [said(0, 5), said(0, 5)]) == [15, 15]  # hidden by the vendor, but charged


def test_what_servers_call_their_counts() -> None:
    vendor = {
        "prompt_tokens": 50,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    assert read_count(vendor) == Count(prompt=50, cached=30, output=20, reasoning=12)
    sglang = {"prompt_tokens": 50, "completion_tokens": 20, "prompt_tokens_details": None, "reasoning_tokens": 12}
    assert read_count(sglang) == Count(prompt=50, cached=0, output=20, reasoning=12)
    assert read_count(None) == Count()
