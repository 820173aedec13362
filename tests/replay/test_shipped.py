"""The trace that comes with Ponder."""

from __future__ import annotations

from ponder.replay.load import load_trace, shipped


def test_it_is_small_and_has_something_to_tell() -> None:
    trace = load_trace(shipped())
    assert shipped().stat().st_size < 1_000_000
    assert (len(trace.questions), trace.branches) == (40, 16)
    assert trace.counts.mean() > 3
    right = trace.finals.reshape(-1, trace.branches) == trace.references[:, None]
    assert 0.3 < right.mean() < 0.7
    # Neither always nor never: on most questions a method can win or lose.
    assert (right.any(1) & ~right.all(1)).sum() > 20


def test_it_says_where_it_comes_from() -> None:
    about = load_trace(shipped()).about
    assert about is not None
    assert (about.model, about.source) == ("local/qwen2.5-coder-0.5b", "chain-sum.jsonl")
    assert about.settings["max_tokens"] == 140
