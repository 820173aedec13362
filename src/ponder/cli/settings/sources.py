"""Which values of a command were not written on its command line, so that a bad one can be found where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from ponder.cli.settings.defaults import Defaults, read_setting, source, variable
from ponder.core.errors import BudgetExhausted, PonderError, UsageError

__all__ = ["Sourced", "blamed", "note_sources"]

_KEPT = "ponder.sources"


class Sourced(click.Option):
    """An option whose value may come from the environment or the file; its value is read by `read_setting`."""

    def __init__(self, *names: Any, **given: Any) -> None:
        super().__init__(*names, **given)
        self.envvar = variable(self.name or "")

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert and check the value.

        Raises:
            UsageError: it is none; a value from elsewhere is named with where it stands.
        """
        name = self.name or ""
        place = self._elsewhere(ctx)
        if place is not None:
            _sources(ctx)[name] = place
        try:
            converted = super().process_value(ctx, value)
            return read_setting(name, converted) if isinstance(converted, str | int | float) else converted
        except click.BadParameter as error:
            if place is None:
                raise
            raise UsageError(f"{source(name, place)}: {error.message.rstrip('.')}") from None
        except UsageError as error:
            if place is not None:
                _prefix(error, source(name, place))
            raise

    def _elsewhere(self, ctx: click.Context) -> str | None:
        found = ctx.get_parameter_source(self.name or "")
        if found is ParameterSource.ENVIRONMENT:
            return str(self.envvar)
        if found is ParameterSource.DEFAULT_MAP:
            defaults = ctx.find_object(Defaults)
            return str(defaults.file) if defaults else None
        return None


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Around what the value of an option alone can be wrong with.

    Raises:
        PonderError: what was raised inside; it begins with where the value stands, if not on the command line.
    """
    try:
        yield
    except PonderError as error:
        context = click.get_current_context(silent=True)
        place = _sources(context).get(name) if context else None
        if place is not None:
            _prefix(error, source(name, place))
        raise


def note_sources(error: PonderError) -> None:
    """Note on the error of a run which of its values came from elsewhere, since any of them may be what is wrong."""
    context = click.get_current_context(silent=True)
    found = _sources(context) if context else {}
    if found and (error.exit_code == UsageError.exit_code or isinstance(error, BudgetExhausted)):
        error.add_note(", ".join(f"{name} is from {place}" for name, place in found.items()))


def _sources(context: click.Context) -> dict[str, str]:
    """In which variable or file the values from elsewhere stand, by option; all contexts of a command line share it."""
    found: dict[str, str] = context.meta.setdefault(_KEPT, {})
    return found


def _prefix(error: PonderError, source: str) -> None:
    error.args = (f"{source}: {error}", *error.args[1:])
