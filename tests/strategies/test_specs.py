"""The spec that people write: name[@effort][(key=value,...)]."""

from __future__ import annotations

import pytest

import ponder.strategies  # noqa: F401 - registers them
from ponder.core.errors import InvalidOption, UnknownName
from ponder.engine.methods import parse_spec


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("single", {}),
        ("self-consistency", {"n": 16, "weight": "none"}),
        ("self-consistency(n=4)", {"n": 4, "weight": "none"}),
        ("self-consistency@0.5", {"n": 8, "weight": "none"}),
        ("self-consistency@0.5( n=3 , weight=logprob )", {"n": 3, "weight": "logprob"}),
        ("esc(window=8, n=64)", {"n": 64, "window": 8}),
    ],
)
def test_a_spec_sets_options_over_effort_over_defaults(spec: str, values: dict[str, object]) -> None:
    assert parse_spec(spec).values == values


@pytest.mark.parametrize("spec", ["self-consistency(n=4)", "adaptive-consistency@0.5", "esc@1(window=8)", "single"])
def test_a_plan_gives_the_spec_it_was_read_from(spec: str) -> None:
    assert parse_spec(spec).spec == spec


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("self-consistancy", UnknownName, "did you mean 'self-consistency'"),
        ("self-consistency(m=4)", UnknownName, "unknown option of self-consistency 'm'"),
        ("self-consistency(n=0)", InvalidOption, "n=0 must lie between 1 and 4096"),
        ("self-consistency(n=1000000000)", InvalidOption, "n=1000000000 must lie between 1 and 4096"),
        ("self-consistency(n=many)", InvalidOption, "n=many is not a whole number"),
        ("self-consistency(n=4,n=5)", InvalidOption, "n is given twice"),
        ("self-consistency(4)", InvalidOption, "'4' is not of the form key=value"),
        ("self-consistency(weight=heavy)", InvalidOption, "weight=heavy is not one of none, logprob, verifier"),
        ("self-consistency@1.5", InvalidOption, "effort 1.5 must lie between 0 and 1"),
        ("self-consistency@nan", InvalidOption, "effort nan must lie between 0 and 1"),
        ("self-consistency@lots", InvalidOption, "effort 'lots' is not a number"),
        ("self-consistency(n=4", InvalidOption, "is not of the form name"),
        ("", InvalidOption, "is not of the form name"),
        ("adaptive-consistency(threshold=2)", InvalidOption, "threshold=2.0 must lie between 0 and 1"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        parse_spec(spec)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
