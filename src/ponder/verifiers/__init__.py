"""What scores an answer."""

from __future__ import annotations

from ponder.answers.answers import Answers
from ponder.answers.equivalence import Equivalence
from ponder.answers.extract import extract
from ponder.answers.json_values import JsonValues
from ponder.verifiers.choice import Choice
from ponder.verifiers.exact import Exact
from ponder.verifiers.function import Function
from ponder.verifiers.lookup import EXAMPLES, NAMES, SIGNATURE, resolve
from ponder.verifiers.maths import Math
from ponder.verifiers.p_yes import PYes
from ponder.verifiers.regex import Regex
from ponder.verifiers.schema import JsonSchema

__all__ = [
    "EXAMPLES",
    "NAMES",
    "SIGNATURE",
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
