"""The defaults that hold in this environment: each with its value, where that stands, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ponder.cli.settings.defaults import PRICES, SETTINGS, Defaults, read_setting, variable
from ponder.core.errors import PonderError

__all__ = ["BUILT_IN", "Effective", "effective"]

BUILT_IN = "built in"
"""The source of what nobody has set."""


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting as it holds; `wrong` says why it cannot be used, None if nothing speaks against it."""

    name: str
    value: str
    source: str
    wrong: str | None = None


def effective(defaults: Defaults) -> Iterator[Effective]:
    """All settings, then the prices of the file."""
    for name in SETTINGS:
        if given := os.environ.get(variable(name)):
            value, source = given, variable(name)
        elif name in defaults.values:
            value, source = str(defaults.values[name]), str(defaults.file)
        else:
            yield Effective(name, _built_in(name), BUILT_IN)
            continue
        yield Effective(name, _shown(name, value), source, _wrong(name, value))
    for model, price in defaults.prices.items():
        figures = f"{price.prompt:g}/{price.cached_prompt:g}/{price.output:g}"
        yield Effective(f'{PRICES}."{model}"', figures, str(defaults.file))


def _built_in(name: str) -> str:
    from ponder.api import DEFAULT_STRATEGY
    from ponder.backends import DEFAULT_MODEL
    from ponder.core.settings import TEMPERATURE, Settings

    known = {
        "model": DEFAULT_MODEL, "strategy": DEFAULT_STRATEGY, "max_tokens": str(Settings().max_tokens),
        "temperature": f"{TEMPERATURE:g}, where the model takes one",
    }  # fmt: skip
    return known.get(name, "none")


def _shown(name: str, value: str) -> str:
    """The value without a password."""
    if name != "model" or "@http" not in value:
        return value
    before, scheme, address = value.partition("://")
    return f"{before}{scheme}{address.rpartition('@')[2]}"


def _wrong(name: str, value: str) -> str | None:
    try:
        _check(name, value)
    except PonderError as error:
        return str(error)
    return None


def _check(name: str, value: str) -> None:
    """See that there is what is named, as far as that is known without opening it.

    Raises:
        UsageError: there is not.
    """
    if name == "model":
        from ponder.backends import check_spec

        check_spec(value)
    elif name == "strategy":
        from ponder.cli.settings.load_strategies import load_strategies
        from ponder.engine.methods import parse_spec

        load_strategies(())
        parse_spec(value)
    elif name == "verifier":
        from ponder.verifiers import resolve

        resolve(value)
    else:
        read_setting(name, _number(name, value))


def _number(name: str, value: str) -> str | int | float:
    from ponder.core.errors import InvalidOption

    if str in SETTINGS[name]:
        return value
    try:
        return float(value) if float in SETTINGS[name] else int(value)
    except ValueError:
        raise InvalidOption(f"{value!r:.60} is no number") from None
