"""Owners take turns: nobody waits behind all that another has asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.workers.turns import Turns


def one_after_another(turns: Turns[int], times: int) -> str:
    """Whose jobs are done, if there is one place."""
    served = ""
    for _ in range(times):
        taken = turns.take()
        assert taken is not None
        served += taken[0]
        turns.end(taken[0])
    return served


def test_owners_take_turns_however_much_each_has_asked_for() -> None:
    turns: Turns[int] = Turns(1)
    for owner, jobs in (("a", 24), ("b", 1), ("c", 2)):
        for number in range(jobs):
            turns.put(owner, number)
    assert one_after_another(turns, 7) == "abcacaa"


def test_the_jobs_of_one_owner_are_done_in_their_order() -> None:
    turns: Turns[int] = Turns(3)
    for number in range(3):
        turns.put("a", number)
    assert [turns.take(), turns.take(), turns.take(), turns.take()] == [("a", 0), ("a", 1), ("a", 2), None]


def test_who_has_all_the_places_that_one_may_have_waits_while_others_do_not() -> None:
    turns: Turns[int] = Turns(2)
    for number in range(5):
        turns.put("a", number)
    assert (turns.take(), turns.take(), turns.take()) == (("a", 0), ("a", 1), None)
    turns.put("b", 9)
    assert turns.ready == 1
    assert turns.take() == ("b", 9)
    turns.end("a")
    assert turns.take() == ("a", 2)


@given(steps=st.lists(st.sampled_from("abcd") | st.none(), max_size=200), most=st.integers(1, 3))
def test_who_waits_is_never_overtaken_twice_by_the_same_owner(steps: list[str | None], most: int) -> None:
    """`None` is a place that becomes free and is given to the next; the oldest job taken ends first."""
    turns: Turns[int] = Turns(most)
    waiting: dict[str, int] = dict.fromkeys("abcd", 0)
    passed: dict[str, list[str]] = {owner: [] for owner in "abcd"}
    running: list[str] = []
    for step in steps:
        if step is not None:
            turns.put(step, 0)
            waiting[step] += 1
            continue
        if len(running) >= 3:
            turns.end(running.pop(0))
        taken = turns.take()
        may = [owner for owner in "abcd" if waiting[owner] and running.count(owner) < most]
        assert (taken is None) == (not may)
        if taken is None:
            continue
        owner = taken[0]
        assert owner in may
        running.append(owner)
        waiting[owner] -= 1
        passed[owner] = []
        for other in may:
            if other != owner:
                assert owner not in passed[other]
                passed[other].append(owner)


@given(owners=st.lists(st.text(max_size=3), max_size=50))
def test_nothing_is_kept_of_owners_whose_jobs_are_done(owners: list[str]) -> None:
    turns: Turns[int] = Turns(2)
    for owner in owners:
        turns.put(owner, 0)
    one_after_another(turns, len(owners))
    assert not turns._lines
