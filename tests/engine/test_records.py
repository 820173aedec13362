"""What goes into the journal comes out of it unchanged."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import BackendError, BrokenReply, BudgetExhausted, CallTimeout, RateLimited, Rejected
from ponder.engine.resume import encoding as records

counts = st.integers(0, 10**6)
logprobs = st.floats(-50, 0)
choices = st.builds(
    Choice,
    text=st.text(),
    tokens=counts,
    finish=st.sampled_from(["stop", "length", "boundary", "content_filter"]),
    thinking=st.text(),
    thinking_tokens=counts,
    logprob=st.none() | logprobs | st.just(0.0),  # a text that was certain
    first=st.dictionaries(st.text(max_size=3), logprobs, max_size=3),
)
completions = st.builds(
    Completion, st.lists(choices, max_size=3).map(tuple), st.builds(Usage, prompt=counts, cached=counts, output=counts)
)


@given(completions)
def test_a_reply_is_read_back_as_it_was(completion: Completion) -> None:
    assert records.read_completion(json.loads(json.dumps(records.completion(completion)))) == completion


@given(st.lists(choices, max_size=3).map(tuple), st.booleans())
def test_what_was_cut_is_read_back_as_it_was(cut: tuple[Choice, ...], late: bool) -> None:
    limit = BudgetExhausted("the deadline passed", "seconds") if late else None
    row = json.loads(json.dumps(records.cut(cut, limit=limit)))
    assert records.read_cut(row) == cut
    read = records.read_limit(row)
    assert (read and (str(read), read.limit)) == (limit and ("the deadline passed", "seconds"))


@given(st.sampled_from([BackendError, BrokenReply, CallTimeout, RateLimited, Rejected]), st.text())
def test_an_error_is_read_back_as_its_kind(kind: type[BackendError], text: str) -> None:
    read = records.read_error(json.loads(json.dumps(records.error(kind(text)))))
    assert (type(read), str(read)) == (kind, text)


@given(st.text(), st.sampled_from(["tokens", "usd", "calls", "seconds"]), st.booleans())
def test_a_refusal_is_read_back_with_its_limit(text: str, limit: str, inner: bool) -> None:
    read = records.read_error(json.loads(json.dumps(records.error(BudgetExhausted(text, limit, inner=inner)))))
    assert isinstance(read, BudgetExhausted)
    assert (str(read), read.limit, read.inner) == (text, limit, inner)
