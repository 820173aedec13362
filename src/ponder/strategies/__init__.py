"""The methods, one a file. Importing this package registers them all."""

from ponder.strategies.adaptive_consistency import adaptive_consistency
from ponder.strategies.best_of_n import best_of_n
from ponder.strategies.esc import esc
from ponder.strategies.self_consistency import self_consistency
from ponder.strategies.short_m_at_k import short_m_at_k
from ponder.strategies.single import single

__all__ = ["SHIPPED", "adaptive_consistency", "best_of_n", "esc", "self_consistency", "short_m_at_k", "single"]

SHIPPED = ("adaptive-consistency", "best-of-n", "esc", "self-consistency", "short-m-at-k", "single")
"""The names of the methods in this package."""
