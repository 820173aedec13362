"""Pareto fronts and ceilings."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ponder.bench.frontier import coverage, majority, on_front
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, build

points = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12)


def dominated(point: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(cost <= point[0] and right >= point[1] and (cost, right) != point for cost, right in others)


@given(points)
def test_members_are_not_dominated_and_all_others_are(cloud: list[tuple[int, int]]) -> None:
    cost, accuracy = np.array(cloud, float).T
    assert on_front(cost, accuracy).tolist() == [not dominated(point, cloud) for point in cloud]


@given(
    st.integers(1, 5).flatmap(
        lambda size: st.lists(
            st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=size, max_size=size),
            min_size=1,
            max_size=4,
        )
    )
)
def test_many_draws_at_once_are_each_their_own(draws: list[list[tuple[int, int]]]) -> None:
    cost, accuracy = np.moveaxis(np.array(draws, float), -1, 0)
    assert (on_front(cost, accuracy) == [on_front(*row) for row in zip(cost, accuracy, strict=True)]).all()


def finals(*answers: str | None, reference: str | None = "A") -> RecordedQuestion:
    return RecordedQuestion("?", reference, [RecordedBranch((), 10, answer) for answer in answers])


def test_ceilings() -> None:
    trace = build(
        "test",
        10,
        [
            finals("A", "A", "B"),
            finals("B", "A", None),
            finals("B", "B", "A"),
            finals("C", "B", None),
            finals(None, None, None),
            finals("B", "B", None, reference=None),
        ],
    )
    assert coverage(trace).tolist() == [1, 1, 1, 0, 0, 0]
    assert majority(trace).tolist() == [1, 0.5, 0, 0, 0, 0]
