"""Computer algebra: whether two formulas are equal. Runs in a worker, which may be killed."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["same"]

_DECIMAL = re.compile(r"\d*\.\d+")
_DIGITS = 6
"""A decimal of so many digits may stand for the value it rounds."""
_PRECISION = 60  # digits to which numbers that are no fractions are compared


def same(left: str, right: str) -> bool:
    """Numbers exactly, all else by math-verify (Kydlíček and Gandenberger, 2025), whose `verify` rounds numbers.

    In both directions, because that is not symmetric; its SIGALRM time-outs are off.
    """
    from math_verify import LatexExtractionConfig, parse, verify  # type: ignore[import-untyped]

    config = [LatexExtractionConfig()]
    first, second = (parse(f"${text}$", config, parsing_timeout=None) for text in (left, right))
    if not first or not second:
        return False
    numbers = [_number(each[0]) for each in (first, second)]
    if None not in numbers:
        return _equal(numbers[0], numbers[1], max(map(_digits, (left, right))))
    return any(verify(*pair, float_rounding=15, timeout_seconds=None) for pair in ((first, second), (second, first)))


def _number(value: Any) -> Any:
    """A number without variables, None for anything else; a lone i is the imaginary unit."""
    import sympy  # type: ignore[import-untyped]

    if not isinstance(value, sympy.Expr):
        return None
    if {symbol.name for symbol in value.free_symbols} == {"i"}:
        value = value.subs(dict.fromkeys(value.free_symbols, sympy.I))
    value = value.doit()
    return value if not value.free_symbols and value.is_number else None


def _exact(value: Any) -> Any:
    """Decimals as the fractions that they are."""
    import sympy

    return value.replace(lambda part: part.is_Float, lambda part: sympy.Rational(str(part)))


def _digits(text: str) -> int:
    """How many significant digits a decimal in the text has."""
    return max((len(found.replace(".", "").lstrip("0")) for found in _DECIMAL.findall(text)), default=0)


def _equal(left: Any, right: Any, digits: int) -> bool:
    import sympy

    if digits < _DIGITS:
        left, right = _exact(left), _exact(right)
    rest = left - right
    if rest.is_Rational:
        return bool(rest == 0)
    difference = abs(sympy.N(rest, _PRECISION))
    size = max(abs(sympy.N(left, _PRECISION)), abs(sympy.N(right, _PRECISION)))
    if difference.has(sympy.nan, sympy.zoo, sympy.oo) or size.has(sympy.nan, sympy.zoo, sympy.oo):
        return bool(left == right)
    allowed = 10 ** -(digits - 1) if digits >= _DIGITS else sympy.Float(10) ** -(_PRECISION - 20)
    return bool(difference <= size * allowed)
