"""Fixtures that every test may use."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes says nothing about the code. With `CI` set, hypothesis also repeats the same examples.
settings.register_profile("ponder", deadline=None)
settings.load_profile("ponder")


@pytest.fixture
def anyio_backend() -> str:
    """Ponder runs on asyncio: its HTTP client does."""
    return "asyncio"
