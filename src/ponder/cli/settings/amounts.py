"""Amounts on the command line: ``30d``, ``1GB``."""

from __future__ import annotations

import re
from collections.abc import Mapping

import click

__all__ = ["BYTES", "SECONDS"]

_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})", re.ASCII)


class _Amount(click.ParamType[float]):
    """A number and a unit, as a number of the smallest unit."""

    def __init__(self, name: str, units: Mapping[str, float], instead: str) -> None:
        self.name = name
        self._units = units
        self._instead = instead

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        if isinstance(value, float):
            return value
        match = _AMOUNT.fullmatch(str(value).strip())
        unit = self._units.get(match[2].lower()) if match else None
        if match is None or unit is None:
            self.fail(f"{str(value)!r:.80} is none; write {self._instead}", param, ctx)
        return float(match[1]) * unit


SECONDS = _Amount(
    "age",
    {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600},
    "a number and s, min, h, d, w or y, as in 12h or 30d",
)

BYTES = _Amount(
    "size",
    {
        **{f"{letter}b": 10.0**power for letter, power in (("", 0), ("k", 3), ("m", 6), ("g", 9), ("t", 12))},
        **{f"{letter}ib": 2.0**power for letter, power in (("k", 10), ("m", 20), ("g", 30), ("t", 40))},
    },
    "a number and B, kB, MB, GB or TB, as in 500MB or 1.5GB",
)
