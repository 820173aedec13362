"""An upstream that fails is left alone, tried again with one call, and what was declared stands in for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import BackendError, RateLimited, Rejected, Unreachable
from ponder.gateway.breaker import COOLING, LONGEST_COOLING, THRESHOLD, Breaker, BreakerOpen
from ponder.gateway.config import Config, Upstream
from ponder.gateway.fallback import Route, Routes


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int = 1, error: Callable[[str], BaseException] = Unreachable) -> None:
    for _ in range(times):
        with pytest.raises(type(error("")), match="gone"), breaker.call():
            raise error("gone")


def succeed(breaker: Breaker) -> None:
    with breaker.call():
        pass


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    fail(breaker, THRESHOLD)
    return breaker, clock


def test_failures_in_a_row_open_it_and_then_no_call_is_made() -> None:
    breaker, _ = opened()
    assert breaker.state == "open"
    with pytest.raises(BreakerOpen, match="vllm has failed 5 times in a row; it is tried again in 5 s"):
        succeed(breaker)


def test_a_success_in_between_keeps_it_closed() -> None:
    breaker = Breaker("vllm")
    for _ in range(10):
        fail(breaker, THRESHOLD - 1)
        succeed(breaker)
    assert breaker.state == "closed"


def test_after_cooling_down_one_call_tries_and_its_success_closes_it() -> None:
    breaker, clock = opened()
    clock.now += COOLING
    assert breaker.state == "half-open"
    with breaker.call(), pytest.raises(BreakerOpen):
        succeed(breaker)
    assert breaker.state == "closed"


def test_a_try_that_fails_cools_twice_as_long_up_to_a_limit() -> None:
    breaker, clock = opened()
    waits = []
    for _ in range(2000):
        waits.append(breaker.retry_after)
        clock.now += breaker.retry_after
        fail(breaker)
    assert waits[:6] == [5, 10, 20, 40, 80, 120]
    assert waits[-1] == LONGEST_COOLING


@pytest.mark.parametrize("error", [Rejected, RateLimited])
def test_an_upstream_that_refuses_is_alive(error: Callable[[str], BackendError]) -> None:
    breaker = Breaker("vllm")
    fail(breaker, 3 * THRESHOLD, error)
    assert breaker.state == "closed"


def test_a_client_that_goes_away_says_nothing_of_the_upstream() -> None:
    breaker, clock = opened()
    clock.now += COOLING
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    assert breaker.state == "half-open"
    succeed(breaker)


def test_a_call_from_before_it_opened_does_not_close_it() -> None:
    breaker = Breaker("vllm", Clock())
    with breaker.call():
        fail(breaker, THRESHOLD)
    assert breaker.state == "open"


@given(outcomes=st.lists(st.tuples(st.booleans(), st.floats(0, 200))))
def test_no_call_goes_through_before_it_has_cooled_down(outcomes: list[tuple[bool, float]]) -> None:
    clock = Clock()
    breaker = Breaker("vllm", clock)
    since, row = None, 0
    for works, pause in outcomes:
        clock.now += pause
        try:
            with breaker.call():
                if since is not None:
                    assert clock.now - since >= COOLING
                if not works:
                    raise Unreachable("gone")
            since, row = None, 0
        except BreakerOpen:
            assert since is not None
            assert clock.now - since < LONGEST_COOLING
        except Unreachable:
            row += 1
            if since is not None or row == THRESHOLD:
                since = clock.now


def upstream(name: str, fallback: str | None = None, *models: str) -> Upstream:
    return Upstream(name=name, url=f"http://{name}:1/v1", fallback=fallback, models=models)


def routes(*upstreams: Upstream) -> Routes:
    return Routes(Config(upstreams={one.name: one for one in upstreams}))


def test_while_an_upstream_is_left_alone_its_fallback_answers_and_says_so() -> None:
    made = routes(upstream("a", "b", "big"), upstream("b", None, "small"))
    assert made.first("a", "big") == Route("a", "big")
    assert made.first("a", "big").header is None
    fail(made.breakers["a"], THRESHOLD)
    route = made.first("a", "big")
    assert route == Route("b", "small", tried=("a",))
    assert route.header == "b; instead-of=a"


def test_a_fallback_that_lists_no_models_gets_the_same_name() -> None:
    made = routes(upstream("a", "b", "big"), upstream("b"))
    assert made.instead(Route("a", "big"), Unreachable("gone")).model == "big"


def test_a_chain_of_fallbacks_ends_even_in_a_circle() -> None:
    made = routes(upstream("a", "b"), upstream("b", "c"), upstream("c", "a"))
    for name in "ab":
        fail(made.breakers[name], THRESHOLD)
    assert made.first("a", "m").upstream == "c"
    fail(made.breakers["c"], THRESHOLD)
    with pytest.raises(BreakerOpen):
        made.first("a", "m")


def test_a_single_pass_stands_in_for_a_run_that_failed_but_not_for_a_dead_upstream() -> None:
    made = routes(upstream("a", "single"))
    route = made.instead(Route("a", "m"), Unreachable("gone"))
    assert (route.single, route.header) == (True, "single; instead-of=a")
    with pytest.raises(Unreachable, match="still gone"):
        made.instead(route, Unreachable("still gone"))
    fail(made.breakers["a"], THRESHOLD)
    with pytest.raises(BreakerOpen):
        made.first("a", "m")


def test_what_the_upstream_refuses_is_not_tried_elsewhere() -> None:
    with pytest.raises(Rejected, match="no such model"):
        routes(upstream("a", "b"), upstream("b")).instead(Route("a", "m"), Rejected("no such model"))
