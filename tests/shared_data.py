"""What others recorded, which is not part of the project: several sources state no licence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["shared_data"]

SHARED = Path(__file__).parents[2] / "shared/data"
"""A folder beside the repository, where there is one."""


def shared_data(path: str) -> Path:
    """A file or folder of it; skips the test where it is absent, and fails it if ``PONDER_REQUIRE_SHARED`` is set."""
    found = SHARED / path
    if not found.exists():
        absent = f"the recorded data are not at {found}"
        if os.environ.get("PONDER_REQUIRE_SHARED", "") not in ("", "0"):
            pytest.fail(absent)
        pytest.skip(absent)
    return found
