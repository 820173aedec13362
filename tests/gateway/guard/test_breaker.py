"""An upstream is left alone by those who saw it fail, tried again with one call, and what was declared stands in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import BackendError, BrokenReply, CallTimeout, RateLimited, Rejected, Unreachable
from ponder.gateway.errors import BreakerOpen
from ponder.gateway.settings import Config, Upstream
from ponder.gateway.upstreams.breaker import COOLING, LONGEST_COOLING, THRESHOLD, Breaker, Kind, kind_of
from ponder.gateway.upstreams.routes import Route, Routes


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answered_500(message: str) -> Unreachable:
    return Unreachable(message, 500)


def fail(
    breaker: Breaker, times: int = 1, error: Callable[[str], BaseException] = Unreachable, key: str = "alice"
) -> None:
    for _ in range(times):
        with pytest.raises(type(error("")), match="gone"), breaker.call(key):
            raise error("gone")


def succeed(breaker: Breaker, key: str = "alice") -> None:
    with breaker.call(key):
        pass


def opened() -> tuple[Breaker, Clock]:
    """One that refuses alice."""
    clock = Clock()
    breaker = Breaker("vllm", clock)
    fail(breaker, THRESHOLD)
    return breaker, clock


def opened_for_all() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    fail(breaker, 3)
    fail(breaker, 2, key="bob")
    return breaker, clock


def test_failures_in_a_row_open_it_and_then_no_call_is_made() -> None:
    breaker, _ = opened()
    with pytest.raises(BreakerOpen, match="vllm has failed 5 times in a row for this API key") as down:
        succeed(breaker)
    assert (down.value.alone, down.value.retry_after) == (True, 5)


@pytest.mark.parametrize("error", [Unreachable, answered_500, CallTimeout, BrokenReply])
def test_what_one_key_has_seen_is_not_held_against_the_others(error: Callable[[str], BackendError]) -> None:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    for _ in range(4):
        fail(breaker, THRESHOLD, error)
        clock.now += 1000
        fail(breaker, 1, error)
        assert (breaker.state, breaker.alone) == ("closed", 1)
        succeed(breaker, "bob")
        clock.now += 1000
        succeed(breaker)
    assert breaker.alone == 0


def test_several_keys_together_open_it_for_all() -> None:
    breaker, _ = opened_for_all()
    assert (breaker.state, breaker.alone) == ("open", 0)
    for key in ("alice", "bob", "carol"):
        with pytest.raises(BreakerOpen, match="vllm has failed 5 times in a row; it is tried again in 5 s") as down:
            succeed(breaker, key)
        assert not down.value.alone


@pytest.mark.parametrize(
    ("failures", "state"),
    [
        ("aaaaaaaaaaaa", "closed"), ("aaaab", "closed"), ("aaabb", "open"), ("ababa", "open"), ("aaabc", "open"),
        ("abcde", "open"), ("abcd", "closed"), ("aaaBbaBb", "closed"), ("aaaabCb", "closed"),
    ],
)  # fmt: skip
def test_one_key_is_a_single_witness_however_often_it_fails(failures: str, state: str) -> None:
    """Each letter is a key whose call fails; a capital is one whose call succeeds."""
    breaker = Breaker("vllm", Clock())
    for letter in failures:
        if letter.isupper():
            succeed(breaker, letter.lower())
        elif breaker.refusal(letter) is None:
            fail(breaker, key=letter)
    assert breaker.state == state


def test_a_probe_that_fails_too_opens_it_for_all() -> None:
    breaker, clock = opened()
    breaker.probed(Rejected("no such path"))
    assert breaker.state == "closed", "it is alive"
    breaker.probed(Unreachable("gone"))
    assert breaker.state == "open"
    clock.now += COOLING
    fail(breaker, key="bob")
    assert breaker.state == "half-open"
    breaker.probed(CallTimeout("slow"))
    assert breaker.state == "open"


def test_a_probe_alone_opens_nothing() -> None:
    breaker = Breaker("vllm", Clock())
    for _ in range(20):
        breaker.probed(Unreachable("gone"))
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "closed"


def test_it_is_probed_when_nothing_has_answered_a_key_and_not_when_the_answer_was_500() -> None:
    for error, looks in ((Unreachable, 1), (CallTimeout, 1), (answered_500, 0), (BrokenReply, 0)):
        asked: list[str] = []
        breaker = Breaker("vllm", Clock())
        breaker.suspect = lambda asked=asked: asked.append("look")  # type: ignore[misc]
        fail(breaker, THRESHOLD, error)
        assert len(asked) == looks, error


def test_a_try_by_a_key_that_always_fails_does_not_keep_it_from_the_others() -> None:
    breaker, clock = opened_for_all()
    clock.now += COOLING
    fail(breaker, error=answered_500)
    assert breaker.state == "half-open"
    with pytest.raises(BreakerOpen):
        succeed(breaker)
    succeed(breaker, "bob")
    assert breaker.state == "closed"
    with pytest.raises(BreakerOpen, match="for this API key"):
        succeed(breaker)


def test_two_tries_in_vain_open_it_again_for_twice_as_long() -> None:
    breaker, clock = opened_for_all()
    waits = []
    for _ in range(7):
        waits.append(breaker.retry_after("carol"))
        clock.now += 1000
        fail(breaker)
        fail(breaker, key="bob")
    assert waits == [5, 10, 20, 40, 80, 120, 120]


def test_when_it_is_back_who_could_not_reach_it_is_let_in_and_who_made_it_fail_waits() -> None:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    fail(breaker, THRESHOLD, answered_500, "mallory")
    clock.now += COOLING
    fail(breaker, 1, answered_500, "mallory")
    succeed(breaker, "bob")
    fail(breaker, 3, Unreachable, "alice")
    fail(breaker, 2, Unreachable, "bob")
    assert breaker.state == "open"
    clock.now += COOLING
    fail(breaker, 1, Unreachable, "alice")
    assert breaker.retry_after("alice") == COOLING
    succeed(breaker, "bob")
    assert (breaker.retry_after("alice"), breaker.retry_after("mallory")) == (0, COOLING)


def test_a_success_in_between_keeps_it_closed() -> None:
    breaker = Breaker("vllm")
    for _ in range(10):
        fail(breaker, THRESHOLD - 1)
        succeed(breaker)
    assert breaker.refusal("alice") is None


def test_after_cooling_down_one_call_tries_and_its_success_closes_it() -> None:
    for breaker, clock in (opened(), opened_for_all()):
        clock.now += COOLING
        with breaker.call("alice"), pytest.raises(BreakerOpen):
            succeed(breaker)
        assert breaker.refusal("alice") is None
        assert breaker.state == "closed"


def test_a_try_that_fails_cools_twice_as_long_up_to_a_limit() -> None:
    breaker, clock = opened()
    waits = []
    for _ in range(2000):
        waits.append(breaker.retry_after("alice"))
        clock.now += waits[-1]
        fail(breaker)
    assert waits[:6] == [5, 10, 20, 40, 80, 120]
    assert waits[-1] == LONGEST_COOLING


@pytest.mark.parametrize("error", [Rejected, RateLimited])
def test_an_upstream_that_refuses_is_alive(error: Callable[[str], BackendError]) -> None:
    breaker = Breaker("vllm")
    for key in ("alice", "bob"):
        fail(breaker, 3 * THRESHOLD, error, key)
    assert (breaker.state, breaker.alone, dict(breaker.failed)) == ("closed", 0, {})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unreachable("cannot reach it"), "unreachable"), (Unreachable("answered 500", 500), "status"),
        (CallTimeout("no sign of life"), "silent"), (BrokenReply("half"), "broken"), (Rejected("no"), None),
        (RateLimited("wait"), None), (BreakerOpen("vllm", 5, 5), None),
    ],
)  # fmt: skip
def test_failures_are_counted_by_key_and_kind(error: BackendError, kind: Kind | None) -> None:
    breaker = Breaker("vllm")
    assert kind_of(error) == kind
    with pytest.raises(type(error)), breaker.call("alice"):
        raise error
    assert dict(breaker.failed) == ({("alice", kind): 1} if kind else {})


def test_a_client_that_goes_away_says_nothing_of_the_upstream() -> None:
    for breaker, clock in (opened(), opened_for_all()):
        clock.now += COOLING
        with pytest.raises(asyncio.CancelledError), breaker.call("alice"):
            raise asyncio.CancelledError
        assert breaker.refusal("alice") is None
        succeed(breaker)


def test_a_call_from_before_it_opened_does_not_close_it() -> None:
    breaker = Breaker("vllm", Clock())
    with breaker.call("alice"):
        fail(breaker, THRESHOLD)
    assert breaker.refusal("alice") is not None
    breaker = Breaker("vllm", Clock())
    with breaker.call("carol"):
        fail(breaker, 3)
        fail(breaker, 2, key="bob")
    assert breaker.state == "open"


@given(outcomes=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 200))))
def test_no_call_of_a_key_goes_through_before_it_has_cooled_down(outcomes: list[tuple[str, bool, float]]) -> None:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    since: dict[str, float] = {}
    row: dict[str, int] = dict.fromkeys("abc", 0)
    for key, works, pause in outcomes:
        clock.now += pause
        try:
            with breaker.call(key):
                assert key not in since or clock.now - since[key] >= COOLING
                if not works:
                    raise answered_500("gone")
            since.pop(key, None)
            row[key] = 0
        except BreakerOpen:
            assert 0 < breaker.retry_after(key) <= LONGEST_COOLING
        except Unreachable:
            row[key] += 1
            if row[key] >= THRESHOLD:
                since[key] = clock.now


@given(times=st.integers(0, 40), pauses=st.lists(st.floats(0, 300), min_size=40, max_size=40))
def test_however_one_key_fails_another_that_is_served_always_gets_through(times: int, pauses: list[float]) -> None:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    for pause in pauses[:times]:
        clock.now += pause
        if breaker.refusal("mallory") is None:
            fail(breaker, key="mallory")
        succeed(breaker, "alice")


def upstream(name: str, fallback: str | None = None, *models: str) -> Upstream:
    return Upstream(name=name, url=f"http://{name}:1/v1", fallback=fallback, models=models)


def routes(*upstreams: Upstream) -> Routes:
    return Routes(Config(upstreams={one.name: one for one in upstreams}))


def test_while_an_upstream_is_left_alone_its_fallback_answers_and_says_so() -> None:
    made = routes(upstream("a", "b", "big"), upstream("b", None, "small"))
    assert made.first("a", "big", "alice") == Route("a", "big")
    assert made.first("a", "big", "alice").header is None
    fail(made.breakers["a"], THRESHOLD)
    route = made.first("a", "big", "alice")
    assert route == Route("b", "small", tried=("a",))
    assert route.header == "b; instead-of=a"


def test_a_fallback_that_lists_no_models_gets_the_same_name() -> None:
    made = routes(upstream("a", "b", "big"), upstream("b"))
    assert made.instead(Route("a", "big"), Unreachable("gone")).model == "big"


def test_a_chain_of_fallbacks_ends_even_in_a_circle() -> None:
    made = routes(upstream("a", "b"), upstream("b", "c"), upstream("c", "a"))
    for name in "ab":
        fail(made.breakers[name], THRESHOLD)
    assert made.first("a", "m", "alice").upstream == "c"
    fail(made.breakers["c"], THRESHOLD)
    with pytest.raises(BreakerOpen):
        made.first("a", "m", "alice")


def test_a_single_pass_stands_in_for_a_run_that_failed_but_not_for_a_dead_upstream() -> None:
    made = routes(upstream("a", "single"))
    route = made.instead(Route("a", "m"), Unreachable("gone"))
    assert (route.single, route.header) == (True, "single; instead-of=a")
    with pytest.raises(Unreachable, match="still gone"):
        made.instead(route, Unreachable("still gone"))
    fail(made.breakers["a"], THRESHOLD)
    with pytest.raises(BreakerOpen):
        made.first("a", "m", "alice")


def test_what_the_upstream_refuses_is_not_tried_elsewhere() -> None:
    with pytest.raises(Rejected, match="no such model"):
        routes(upstream("a", "b"), upstream("b")).instead(Route("a", "m"), Rejected("no such model"))
