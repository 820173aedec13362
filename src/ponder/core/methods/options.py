"""Bounds on a strategy's options, written in its signature."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from ponder.core.errors import InvalidOption, UnknownName
from ponder.core.text.quoting import one_line, quoted

__all__ = ["Between", "Count", "Share", "check", "declared", "parse"]


@dataclass(frozen=True, slots=True)
class Between:
    """An option must lie in [low, high]."""

    low: float
    high: float


Count = Annotated[int, Between(1, 4096)]
"""How many branches: at least one, and no more than anybody means."""

Share = Annotated[float, Between(0, 1)]
"""A probability, a share, a threshold."""


def declared(function: Callable[..., Any], skip: int = 1) -> dict[str, tuple[Any, Any]]:
    """The options of a function: name -> (type, default). The first `skip` parameters, like the session, are none.

    Without an annotation an option is of its default's type; one that is called effort is a `Share`.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return {one.name: (hints.get(one.name, _assumed(one)), one.default) for one in parameters}


def _assumed(parameter: inspect.Parameter) -> Any:
    if parameter.name == "effort":
        return Share
    return str if parameter.default is parameter.empty else type(parameter.default)


def parse(owner: str, options: Mapping[str, tuple[Any, Any]], name: str, text: str) -> Any:
    """The value that `text` stands for, as option `name` of `owner` declares it.

    Raises:
        UnknownName: no such option.
        InvalidOption: not of the declared type, or out of bounds.
    """
    if name not in options:
        raise UnknownName(f"option of {owner}", name, options)
    kind = _plain(options[name][0])
    try:
        value = _convert(kind, text)
    except ValueError:
        raise InvalidOption(f"{owner}: {name}={one_line(text)} is not {_article(kind)}") from None
    return check(owner, options, name, value)


def check(owner: str, options: Mapping[str, tuple[Any, Any]], name: str, value: Any) -> Any:
    """`value`, if option `name` of `owner` allows it.

    Raises:
        UnknownName: no such option.
        InvalidOption: of another type, or out of bounds.
    """
    if name not in options:
        raise UnknownName(f"option of {owner}", name, options)
    hint = options[name][0]
    kind = _plain(hint)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise InvalidOption(
                f"{owner}: {name}={one_line(str(value))} is not one of {', '.join(map(str, get_args(kind)))}"
            )
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = _real(value)
    if isinstance(kind, type) and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise InvalidOption(f"{owner}: {name}={quoted(value)} is not {_article(kind)}")
    for bound in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(bound, Between) and not bound.low <= value <= bound.high:
            raise InvalidOption(f"{owner}: {name}={quoted(value)} must lie between {bound.low:g} and {bound.high:g}")
    return value


def _real(value: int) -> float:
    """The number as a float; infinite if that cannot hold it."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _convert(kind: Any, text: str) -> Any:
    if get_origin(kind) is Literal:
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError
        return text.lower() == "true"
    if kind is int:
        return int(text)
    if kind is float:
        return float(text)
    if isinstance(kind, types.UnionType):
        raise ValueError
    return text


def _article(kind: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return words.get(kind, str(kind))
