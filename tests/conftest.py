"""Fixtures that every test may use."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# How long an example takes says nothing about the code. With `CI` set, hypothesis also repeats the same examples.
settings.register_profile("ponder", deadline=None)
settings.load_profile("ponder")

# A shell starts what runs in its background deaf to Ctrl-C, and every program that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Ponder runs on asyncio: its HTTP client does."""
    return "asyncio"
