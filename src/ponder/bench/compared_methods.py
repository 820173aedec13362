"""What is compared: the methods that were asked for, and always the cheap ones that flatter nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ponder.controllers  # noqa: F401 - registers the baselines
from ponder.core.methods.specs import read_spec
from ponder.replay.play.methods import Method, methods

__all__ = ["REFERENCE", "Entry", "baselines", "entries"]

REFERENCE = "self-consistency(n)"
"""The curve of plain voting, which every other is measured by."""

SWEEP = "0:1:0.1"


@dataclass(frozen=True, slots=True)
class Entry:
    """A method in a comparison; `curve` is what it is one setting of."""

    method: Method
    curve: str
    asked: bool
    """Whether somebody named it."""
    cheap: bool
    """Whether it is one of `baselines`."""


def entries(specs: Sequence[str], branches: int, *, sweep: bool = False) -> list[Entry]:
    """The methods of these specs and the baselines for so many branches, each setting of a curve once.

    With `sweep` every method is taken at efforts 0, 0.1, ..., 1, unless its spec stands for a sweep as it is.

    Raises:
        UnknownName, InvalidOption: see `ponder.replay.play.methods.methods`.
    """
    asked = dict(_curve(spec, sweep) for spec in specs)
    cheap = list(baselines(branches))
    known = {_key(one) for _, one in cheap}
    singles = {_key(found[0]) for found in asked.values() if len(found) == 1}
    chosen = [
        Entry(one, curve, asked=True, cheap=False)
        for curve, found in asked.items()
        for one in found
        if len(found) > 1 or _key(one) not in known
    ]
    return [*chosen, *(Entry(one, curve, asked=_key(one) in singles, cheap=True) for curve, one in cheap)]


def baselines(branches: int) -> Iterator[tuple[str, Method]]:
    """The curve and the method of each: voting, adaptive voting and the first half to finish, at powers of two."""
    powers = [2**i for i in range(branches.bit_length())]
    for n in powers:
        yield REFERENCE, methods(f"self-consistency(n={n})")[0]
    for n in powers[2:]:
        yield "adaptive-consistency(n)", methods(f"adaptive-consistency(n={n},threshold=0.95)")[0]
    for k in powers[1:]:
        yield "short-m-at-k(m=k/2)", methods(f"short-m-at-k(m={k // 2},k={k})")[0]


def _curve(spec: str, sweep: bool) -> tuple[str, list[Method]]:
    """What a spec is called in a comparison, and its settings; of those that come to the same the first."""
    found = methods(spec)
    if sweep and len(found) == 1:
        parts = read_spec("method", spec)
        inner = ",".join(f"{key}={text}" for key, text in parts.texts)
        spec = f"{parts.name}@{SWEEP}" + (f"({inner})" if inner else "")
        found = methods(spec)
    distinct: dict[tuple[Any, ...], Method] = {}
    for one in found:
        distinct.setdefault(_key(one), one)
    return spec, list(distinct.values())


def _key(method: Method) -> tuple[Any, ...]:
    """Equal for methods that do the same."""
    return type(method.plan), method.name, *method.settings.items()
