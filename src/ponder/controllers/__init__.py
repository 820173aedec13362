"""Width-depth control, one method a file. Importing this package registers them all."""

from ponder.controllers.adaptive_consistency import adaptive_consistency
from ponder.controllers.cmc import cmc
from ponder.controllers.esc import esc
from ponder.controllers.lead import lead
from ponder.controllers.parallel_probe import parallel_probe
from ponder.controllers.self_consistency import self_consistency
from ponder.controllers.short_m_at_k import short_m_at_k
from ponder.controllers.short_waves import short_waves

__all__ = [
    "SHIPPED",
    "adaptive_consistency",
    "cmc",
    "esc",
    "lead",
    "parallel_probe",
    "self_consistency",
    "short_m_at_k",
    "short_waves",
]

SHIPPED = (
    "adaptive-consistency",
    "cmc",
    "esc",
    "lead",
    "parallel-probe",
    "self-consistency",
    "short-m-at-k",
    "short-waves",
)
"""The names of the methods in this package."""
