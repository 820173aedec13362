"""What an answer is, when two are the same, and what scores them."""

from __future__ import annotations

from ponder.verifiers.answers import Answers
from ponder.verifiers.choice import Choice
from ponder.verifiers.equivalence import Equivalence
from ponder.verifiers.exact import Exact
from ponder.verifiers.extract import extract
from ponder.verifiers.function import Function
from ponder.verifiers.json_values import JsonValues
from ponder.verifiers.lookup import NAMES, resolve
from ponder.verifiers.maths import Math
from ponder.verifiers.p_yes import PYes
from ponder.verifiers.regex import Regex
from ponder.verifiers.schema import JsonSchema

__all__ = [
    "NAMES",
    "Answers",
    "Choice",
    "Equivalence",
    "Exact",
    "Function",
    "JsonSchema",
    "JsonValues",
    "Math",
    "PYes",
    "Regex",
    "extract",
    "resolve",
]
