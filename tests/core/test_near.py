"""Only a name that is near is suggested, by one rule for all kinds of names."""

from __future__ import annotations

import pytest

from ponder.core.errors import UnknownName

METHODS = ("single", "cmc", "esc", "self-consistency", "best-of-n", "short-m-at-k")


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("singel", "single"), ("cmd", "cmc"), ("best-of", "best-of-n"), ("self_consistency", "self-consistency"),
        ("nope", None), ("foo", None), ("magic", None), ("x", None), ("", None),
    ],
)  # fmt: skip
def test_what_is_suggested(name: str, suggested: str | None) -> None:
    text = str(UnknownName("method", name, METHODS))
    assert text.endswith(f"did you mean {suggested!r}?" if suggested else f"known: {', '.join(sorted(METHODS))}")
