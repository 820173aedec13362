"""Units of measurement: whether two quantities are equal. Runs in a worker: pint takes most of a second to load."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

__all__ = ["same"]

_SPELLED = {
    "degc": "degC",
    "degf": "degF",
    "degk": "kelvin",
    "hr": "hour",
    "hrs": "hour",
    "mins": "minute",
    "sec": "second",
}


def same(left: list[list[str]], right: list[list[str]]) -> bool:
    """Whether the sums of `left` and `right`, pairs of value and unit, are one quantity (pint); unknown units are not.

    Temperatures are taken as points on their scale.
    """
    try:
        first, second = _sum(left), _sum(right)
        return bool(first.dimensionality == second.dimensionality and first == second.to(first.units))
    except Exception:  # noqa: BLE001 - pint raises what its parser raises; what it does not know is no unit
        return _spelled(left) == _spelled(right)


def _sum(parts: list[list[str]]) -> Any:
    amounts = [_registry().Quantity(Fraction(value), _unit(unit)) for value, unit in parts]
    total = amounts[0]
    for amount in amounts[1:]:
        total = total + amount
    return total


def _unit(name: str) -> Any:
    return _registry().Unit(_SPELLED.get(name.casefold(), name))


def _spelled(parts: list[list[str]]) -> list[tuple[str, str]]:
    return [(value, unit.casefold().replace(" ", "")) for value, unit in parts]


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
