"""A wish when to try again is kept if it is one; whatever it says, a call waits a moment of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import stamina
from hypothesis import example, given
from hypothesis import strategies as st

from ponder.api import solve
from ponder.backends.openai.retry_after import LONGEST, read_retry_after
from ponder.core.errors import RateLimited
from ponder.engine.live.call import JITTER, LONGEST_WAIT, _pause
from tests.servers.chat import running
from tests.servers.faults import status


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("0.5", 0.5), (" 30 ", 30.0), ("86400", 86_400.0)])
def test_a_number_of_seconds_is_kept(value: str, seconds: float) -> None:
    assert read_retry_after(value) == seconds


def test_a_date_is_kept() -> None:
    assert 55 < (read_retry_after(format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)) or 0) <= 60


@pytest.mark.parametrize(
    "value",
    [
        "", "0", "0.0", "-0", "-1", "-1e308", "1e308", "1e400", "inf", "-inf", "nan", "86401", "99999999999999999999",
        "soon", "5s", "0x10", "5, 6", "9" * 60_000, "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
        "Wed, 21 Oct 2015 07:28:00 -0000", "Wed, 99 Oct 99999999999 07:28:00 GMT", "Sun Nov  6 08:49:37 1994", ",,,,",
        "Thu, 01 Jan 1970 00:00:00 +99999999", "\x00", "١٢",
    ],
)  # fmt: skip
def test_what_is_no_time_to_wait_is_no_wish(value: str) -> None:
    if value != "١٢":  # which is twelve
        assert read_retry_after(value) is None


@given(st.text())
@example("Mon, 1 Jan 1 1:1:1 +0001")
def test_no_value_raises_or_gives_what_cannot_be_waited(value: str) -> None:
    wish = read_retry_after(value)
    assert wish is None or 0 < wish <= LONGEST


@pytest.mark.parametrize("wish", [1e-9, 0.5, 7.0, LONGEST_WAIT])
def test_those_who_were_told_the_same_come_back_one_after_the_other(wish: float) -> None:
    pauses = {_pause(RateLimited("429", wish)) for _ in range(50)}
    assert len(pauses) > 40
    assert wish < min(pauses) <= max(pauses) <= wish + JITTER


def test_without_a_wish_the_pause_grows_with_jitter_and_a_long_one_is_not_waited_for() -> None:
    assert _pause(RateLimited("429", None)) is True
    assert _pause(RateLimited("429", LONGEST_WAIT + 1)) is False


@pytest.mark.parametrize("wish", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "1e308", "soon", ""])
def test_whatever_a_server_says_a_call_waits_a_moment_of_its_own(wish: str) -> None:
    waits: list[float] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: waits.append(details.wait_for)])
    try:
        with running() as server:
            server.faults.append(status(429, Retry_After=wish))
            answer = solve("What is 2 + 2?", strategy="single", model=f"test-model@{server.url}")
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    assert answer.bill.retries == 1
    assert [0 < wait <= LONGEST_WAIT for wait in waits] == [True]
