"""Model weights by name: a registry, a cache by content, and the ways to fill it."""

from __future__ import annotations

from ponder.backends.weights.cache import cache_dir, cached, verify
from ponder.backends.weights.fetch import aresolve, locate, resolve
from ponder.backends.weights.progress import FetchProgress, terminal_progress
from ponder.backends.weights.registry import HubFile, IndexWheels, ModelCard, card, cards

__all__ = [
    "FetchProgress",
    "HubFile",
    "IndexWheels",
    "ModelCard",
    "aresolve",
    "cache_dir",
    "cached",
    "card",
    "cards",
    "locate",
    "resolve",
    "terminal_progress",
    "verify",
]
