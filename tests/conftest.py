"""Fixtures that every test may use."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Ponder runs on asyncio: its HTTP client does."""
    return "asyncio"
