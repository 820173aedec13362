"""The spec that people write: ``name[@effort][(key=value,...)]``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import InvalidOption, StrategyError, describe
from ponder.core.methods import options
from ponder.core.text.quoting import quoted

__all__ = ["Spec", "read_spec", "settle", "write_spec"]

_SPEC = re.compile(r"(?P<name>[^@()\s]+)(?:@(?P<effort>[^()\s]+))?(?:\((?P<options>.*)\))?", re.DOTALL)

Declared = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec in its parts; `texts` are the options as they were written."""

    name: str
    effort: float | None
    texts: tuple[tuple[str, str], ...]

    def values(self, declared: Declared) -> dict[str, Any]:
        """The options that were given, as `declared` reads them."""
        return {key: options.parse(self.name, declared, key, text) for key, text in self.texts}


def read_spec(kind: str, spec: str) -> Spec:
    """Take a spec apart; `kind` is what it names.

    Raises:
        InvalidOption: not of the form ``name[@effort][(key=value,...)]``.
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        raise InvalidOption(f"{kind} {quoted(spec)} is not of the form name[@effort][(key=value,...)]")
    name = match["name"]
    texts: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in (match["options"] or "").split(","))):
        key, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InvalidOption(f"{name}: {quoted(part)} is not of the form key=value")
        if key in texts:
            raise InvalidOption(f"{name}: {key} is given twice")
        texts[key] = text
    return Spec(name, _effort(match["effort"]), tuple(texts.items()))


def write_spec(name: str, effort: float | None, given: Mapping[str, Any]) -> str:
    """The spec of these parts."""
    inner = ",".join(f"{key}={value}" for key, value in given.items())
    return f"{name}{'' if effort is None else f'@{effort:g}'}{f'({inner})' if inner else ''}"


def settle(
    owner: str,
    declared: Declared,
    mapping: Callable[[float], Mapping[str, Any]],
    effort: float | None,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """What was given over what the effort sets over the defaults.

    Raises:
        UnknownName: an option that was not declared.
        InvalidOption: out of bounds or of the wrong type, or not set at all; effort outside [0, 1].
        StrategyError: the effort's own mapping raises.
    """
    values = {name: default for name, (_, default) in declared.items()}
    if effort is not None:
        if not 0 <= effort <= 1:
            raise InvalidOption(f"effort {effort:g} must lie between 0 and 1")
        given = {**_mapped(owner, mapping, effort), **given}
    for name, value in given.items():
        values[name] = options.check(owner, declared, name, value)
    for name, value in values.items():
        if value is inspect.Parameter.empty:
            raise InvalidOption(f"{owner}: {name} has no default; write {owner}({name}=...) or {owner}@EFFORT")
    return values


def _mapped(owner: str, mapping: Callable[[float], Mapping[str, Any]], effort: float) -> dict[str, Any]:
    try:
        return dict(mapping(effort))
    except Exception as error:
        raise StrategyError(f"{owner}: what it sets for effort {effort:g} raised {describe(error)}") from error


def _effort(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidOption(f"effort {quoted(text)} is not a number between 0 and 1") from None
