"""What kind of answer a string is, and when two of a kind are the same; `table` brings the kinds together."""

from __future__ import annotations

from ponder.answers.kinds.reading import Reading
from ponder.answers.kinds.table import KINDS, read, settle

__all__ = ["KINDS", "Reading", "read", "settle"]
