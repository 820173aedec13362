"""Defaults of the commands: from the environment, and below it from a file of the user's own."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponder.core.errors import InvalidOption, UsageError

if TYPE_CHECKING:
    from ponder.core.bill import Price

__all__ = ["PRICES", "SETTINGS", "Defaults", "config_file", "read_defaults", "read_setting", "source", "variable"]

SETTINGS: dict[str, tuple[type, ...]] = {
    "model": (str,), "strategy": (str,), "budget": (str,), "verifier": (str,), "price": (str,), "max_tokens": (int,),
    "temperature": (int, float), "thinking": (str, int),
}  # fmt: skip
"""What the file may set, and what it must be; each is the option of that name, ``--max-tokens`` for ``max_tokens``."""

PRICES = "prices"
"""The table of the file that has a price for each model, by its name or its spec."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a file sets; `prices` are by a model's name or spec, `price` is for all others."""

    file: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    prices: Mapping[str | None, Price] = field(default_factory=dict)
    price: Price | None = None

    def price_of(self, *names: str | None) -> Price | None:
        """The price that the table has under the first of a model's names that is in it, or else that of all models."""
        return next((self.prices[name] for name in names if name in self.prices), self.price)


def variable(name: str) -> str:
    """The environment variable that sets an option, where the command line does not."""
    return f"PONDER_{name.upper()}"


def source(name: str, place: str) -> str:
    """A value that stands in a variable or a file, as an error names it."""
    return place if place == variable(name) else f"{place}: {name}"


def config_file() -> Path:
    """``$PONDER_CONFIG``, or ``ponder/config.toml`` in the user's configuration directory."""
    if given := os.environ.get("PONDER_CONFIG"):
        return Path(given).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "ponder" / "config.toml"


def read_defaults() -> Defaults:
    """What the file sets; nothing if there is none.

    Raises:
        UsageError: it cannot be read, holds something else than `SETTINGS` and `PRICES`, or a value of the wrong type.
    """
    path = config_file()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get("PONDER_CONFIG"):
            raise UsageError(f"PONDER_CONFIG: there is no file {path}") from None
        return Defaults(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from None
    by_model = table.pop(PRICES, {})
    for name, value in table.items():
        if name not in SETTINGS:
            raise UsageError(f"{path}: {name!r} is none of {', '.join(SETTINGS)}, and no table [{PRICES}]")
        if isinstance(value, bool) or not isinstance(value, SETTINGS[name]):
            raise UsageError(f"{path}: {name} = {value!r:.60} is of the wrong type")
    if not isinstance(by_model, dict):
        raise UsageError(
            f'{path}: {PRICES} = {by_model!r:.60} is no table; write [{PRICES}], then "MODEL" = "0.15/0.60"'
        )
    prices = {model: _priced(path, f'{PRICES}."{model}"', text) for model, text in by_model.items()}
    return Defaults(path, table, prices, _priced(path, "price", table["price"]) if "price" in table else None)


def _priced(path: Path, name: str, text: Any) -> Price:
    try:
        if not isinstance(text, str):
            raise InvalidOption(f'{text!r:.60} is of the wrong type; write "0.15/0.60"')
        price: Price = replace(read_setting("price", text), source=str(path))
    except InvalidOption as error:
        raise UsageError(f"{source(name, str(path))}: {error}") from None
    return price


def read_setting(name: str, value: Any) -> Any:
    """What a value means that has the right type: a `Budget`, a `Price`, a number within its bounds.

    Strategies, verifiers and models are left as they are: whether there is such a one is known where they are used.

    Raises:
        InvalidOption: it is out of bounds, or cannot be read.
    """
    return _READERS[name](value) if name in _READERS else value


def _budget(value: str) -> Any:
    from ponder.core.budget import Budget

    return Budget.parse(value)


def _price(value: str) -> Any:
    from ponder.backends import prices

    return prices.parse(value)


def _bounded(name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        from ponder.core.settings import Settings

        return getattr(Settings(**{name: value}), name)

    return read


def _thinking(value: str | int) -> Any:
    from ponder.core.settings import read_thinking

    return read_thinking(str(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "budget": _budget, "price": _price, "max_tokens": _bounded("max_tokens"), "temperature": _bounded("temperature"),
    "thinking": _thinking,
}  # fmt: skip
