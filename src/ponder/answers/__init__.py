"""What an answer is: where a reply states it, and when two mean the same."""

from __future__ import annotations

from ponder.answers.answers import Answers
from ponder.answers.equivalence import Equivalence
from ponder.answers.extract import extract
from ponder.answers.json_values import JsonValues

__all__ = ["Answers", "Equivalence", "JsonValues", "extract"]
