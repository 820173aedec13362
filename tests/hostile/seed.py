"""Which random shapes the hostile tests take: the same ones each time, unless the campaign asks for others."""

from __future__ import annotations

import os

__all__ = ["SEED"]

SEED = int(os.environ.get("PONDER_HOSTILE_SEED", "7"))
