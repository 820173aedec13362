"""Tables of a configuration, checked against the fields of a dataclass; what is wrong is collected, not raised."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args

from ponder.core.errors import UnknownName, UsageError
from ponder.core.methods import options

__all__ = ["Faults", "Place"]

T = TypeVar("T")
D = TypeVar("D", bound=Any)

Place = tuple[str, ...]
"""The names of the tables down to a key."""


class Faults:
    """What is wrong with a document: in `found`, with its place."""

    def __init__(self) -> None:
        self.found: list[tuple[Place, str]] = []

    def add(self, place: Place, what: str) -> None:
        """Note a fault."""
        self.found.append((place, what))

    def on(self, lines: Mapping[Place, int]) -> Iterator[tuple[int, str]]:
        """All faults with their lines; a place that is not in the document stands where its table does."""
        for place, what in self.found:
            while place and place not in lines:
                place = place[:-1]
            yield lines.get(place, 1), what

    def attempt(self, place: Place, function: Callable[[], T]) -> T | None:
        """What `function` gives, or None after noting its refusal."""
        try:
            return function()
        except UsageError as error:
            self.add(place, f"{'.'.join(place)}: {error}")
            return None

    def table(self, value: Any, place: Place) -> dict[str, Any]:
        """A copy of the table; empty if it is none."""
        if isinstance(value, dict):
            return dict(value)
        self.add(place, f"{place[-1]} is a table; write [{'.'.join(place)}] on a line of its own, and its keys below")
        return {}

    def known(self, table: Mapping[str, Any], place: Place, kind: str, names: Sequence[str]) -> dict[str, Any]:
        """The entries of `table` that have one of these names."""
        for name in table:
            if name not in names:
                self.add((*place, name), str(UnknownName(kind, name, names)))
        return {name: value for name, value in table.items() if name in names}

    def take(self, table: dict[str, Any], name: str, kind: type[T], place: Place) -> T | None:
        """Remove an entry of this type; None if it is not there."""
        value = table.pop(name, None)
        if value is None or isinstance(value, kind):
            return value
        words = "text" if kind is str else "a list"
        self.add((*place, name), f"{'.'.join(place)}: {name}={value!r} is not {words}")
        return None

    def values(self, base: D, given: Any, place: Place, only: Sequence[str] | None = None) -> D:
        """The dataclass `base` with the values of a table in place of its own; `only` these fields may be in it."""
        hints = typing.get_type_hints(type(base), include_extras=True)
        names = only or [field.name for field in fields(base) if field.name != "name"]
        declared = {name: (_present(hints[name]), None) for name in names}
        checked = {}
        for name, value in self.known(self.table(given, place), place, f"key of [{'.'.join(place)}]", names).items():
            try:
                checked[name] = options.check(".".join(place), declared, name, value)
            except UsageError as error:
                self.add((*place, name), str(error))
        return replace(base, **checked)


def _present(hint: Any) -> Any:
    """The type of an optional value that is there."""
    inner = [one for one in get_args(hint) if one is not type(None)]
    return inner[0] if type(None) in get_args(hint) else hint
