"""Secrets are hidden as whole tokens; a dummy key masks no words."""

from __future__ import annotations

import pytest

from ponder.backends.openai.failures import Place
from ponder.core.text.secrets import hide

LONG = "proj-0123456789abcdefghij"


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("x", "max_tokens is too large", "max_tokens is too large"),
        ("", "max_tokens", "max_tokens"),
        ("EMPTY", "the prompt is EMPTY", "the prompt is EMPTY"),
        ("tokens", "max_tokens", "max_tokens"),
        ("password1", "password12 is no password1.", "password12 is no ***."),
        ("password1", "key=password1, 'password1'", "key=***, '***'"),
        ("a.b+c(d)", "(a.b+c(d)) aXb+c(d)", "(***) aXb+c(d)"),
        (LONG, f"\\n{LONG}x", "\\n***x"),
    ],
)
def test_what_is_hidden(secret: str, text: str, shown: str) -> None:
    assert hide(text, [secret]) == shown
    place = Place("http://host/v1", "m", "", [secret])
    assert place.clean(text) == " ".join(shown.split())
    assert place.hide(text.encode() + b"\xff") == shown.encode() + b"\xff"


def test_of_two_secrets_the_longer_goes_first() -> None:
    assert hide("password12345", ["password12", "password12345"]) == "***"
