"""An error quotes enough to know a value again, and never more than a line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption, UnknownName, near
from ponder.core.methods.options import Between, check, parse
from ponder.core.text.quoting import LINE, one_line, quoted
from ponder.engine.methods import parse_spec

LONG = "x" * 1_000_000
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a name", "'a name'"), (7, "7"), (True, "True"), (0.5, "0.5"), (None, "None"), ("a\nb", r"'a\nb'")],
)
def test_what_is_short_is_shown_whole(value: object, expected: str) -> None:
    assert quoted(value) == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: LONG, lambda: LONG.encode(), lambda: 10**400, lambda: -(10**5000), lambda: [LONG] * 1000,
        lambda: {LONG: LONG}, lambda: [[[[[LONG]]]]], lambda: set(range(10**5)),
    ],
)  # fmt: skip
def test_what_is_long_is_cut(make: Callable[[], object]) -> None:
    assert len(quoted(make())) <= 80


@given(values)
def test_any_value_is_one_short_line(value: object) -> None:
    assert len(quoted(value)) <= 80
    assert len(quoted(value).splitlines()) <= 1


@given(st.text() | st.just("a\x1b[31mb\u2028c" * 99) | st.just("\x00" * 10**6))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    assert len(one_line(text)) <= LINE
    assert one_line(text).isprintable()


@pytest.mark.parametrize(
    "refuse",
    [
        lambda text: parse_spec(text),
        lambda text: parse_spec(f"self-consistency({text}=1)"),
        lambda text: parse_spec(f"self-consistency(n={text})"),
        lambda text: parse_spec(f"self-consistency(n={'9' * 5000})"),
        lambda text: parse_spec(f"self-consistency({text})"),
        lambda text: parse_spec(f"single@{text}"),
        lambda text: parse_spec(f"({text}"),
        lambda text: Budget.parse(f"tokens={text}"),
        lambda text: Budget.parse(text),
        lambda text: check("it", {"n": (Between(0, 1), 0)}, text, 1),
        lambda text: check("it", {"n": (int, 0)}, "n", text),
        lambda text: check("it", {"n": (float, 0)}, "n", text),
        lambda text: parse("it", {"n": (bool, 0)}, "n", text),
    ],
)
def test_errors_quote_at_most_a_line(refuse: object) -> None:
    with pytest.raises((InvalidOption, UnknownName)) as refused:
        refuse(LONG)  # type: ignore[operator]
    assert len(str(refused.value)) <= 2 * LINE


def test_a_number_too_large_for_a_float_is_out_of_bounds() -> None:
    from typing import Annotated

    with pytest.raises(InvalidOption, match="must lie between 0 and 1"):
        check("it", {"share": (Annotated[float, Between(0, 1)], 0.5)}, "share", 10**400)


def test_nothing_is_like_a_name_that_is_much_longer() -> None:
    assert near("x" * 10**8, ["x" * 20]) is None
    assert near("abcd" * 2, ["abcd"]) == "abcd", "two thirds of both together"
