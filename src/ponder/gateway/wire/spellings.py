"""Fields that a server may take for others: Go reads them in any case, protobuf in two spellings, C up to a NUL."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ponder.core.text.quoting import quoted
from ponder.gateway.errors import BadRequest

__all__ = ["Names", "refuse_variants"]


def _folded(name: str) -> str:
    """What the spellings of one name have in common."""
    return name.partition("\0")[0].casefold().replace("_", "").replace("-", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """The fields of an object that are read, and of those that hold objects, or lists of them, what is read there."""

    known: frozenset[str]
    inner: Mapping[str, Names]
    folded: Mapping[str, str]

    @classmethod
    def of(cls, *names: str, **inner: Names) -> Names:
        """These fields; those of `inner` are objects or lists."""
        known = frozenset((*names, *inner))
        return cls(known, inner, {_folded(name): name for name in known})


def refuse_variants(value: Any, names: Names) -> None:
    """Refuse an object with a field that is none of those that are read, but that a server may take for one.

    Raises:
        BadRequest: there is such a field.
    """
    if isinstance(value, list):
        for one in value:
            if isinstance(one, dict):
                refuse_variants(one, names)
    elif isinstance(value, dict):
        for name in value.keys() - names.known:
            meant = names.folded.get(_folded(name))
            if meant is not None:
                raise BadRequest(f"{quoted(name)} is {meant!r} to some servers, not to others; write {meant!r}", meant)
        for name, inside in names.inner.items():
            refuse_variants(value.get(name), inside)
