"""A person's own controllers, compiled so that no mistake in them can read or write what is not theirs."""

from __future__ import annotations

import linecache
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ponder.core.methods.controller import Plan, Program, View
from ponder.replay.plane import rounds as environment
from ponder.replay.plane.code_on_disk import Kept
from ponder.replay.plane.compiled import compiled, kept
from ponder.replay.plane.pointers import borrowing, guarding, kinds
from ponder.replay.untrusted.checked_lists import BY_BRANCH
from ponder.replay.untrusted.loop_limits import counted

__all__ = ["Uncompilable", "foreign_play_all", "narrowed"]


class Uncompilable(Exception):
    """Numba cannot compile it; the text says where, and what is in the way."""


def narrowed(bundle: Any, branches: int) -> Any:
    """A view or plan of arrays, as far as a person's controller may reach."""
    return bundle._make(array[:branches] if name in BY_BRANCH else array for name, array in bundle._asdict().items())


def foreign_play_all(program: Program, options: Sequence[Any], view: View, plan: Plan) -> Any:
    """`compiled_play_all` of this program; takes a narrowed view and plan before all else.

    Raises:
        Uncompilable: a line that Numba does not know, or a name that may have no value when it is read.
        MissingCapability: Numba is not installed.
    """
    key = (program, tuple(map(type, options)))
    if key not in _built:
        try:
            _built[key] = _build(program, options, view, plan)
        except Uncompilable as reason:
            _built[key] = reason
    found = _built[key]
    if isinstance(found, Uncompilable):
        raise found
    return found


_built: dict[Any, Any] = {}


def _build(program: Program, options: Sequence[Any], view: View, plan: Plan) -> Any:
    from numba import typeof

    with _explained(program):
        body = compiled(counted(program), careful=True)
        whole = _inside(body, program, options)
        # By itself first, so that what is wrong is said of the person's line and not of ours.
        if not (isinstance(whole._cache, Kept) and whole._cache.known()):
            body.compile((kinds(view, False), kinds(plan, True), *map(typeof, options)))
    return whole


def _inside(body: Any, program: Program, options: Sequence[Any]) -> Any:
    from numba import njit

    play_all, borrowed = compiled(environment.play_all), borrowing()
    shown, planned = guarding(False), guarding(True)

    def start(view: Any, plan: Any, shown: Any, planned: Any, *options: Any) -> Any:
        for a in range(planned.tally.size):  # of which only what was shown is cleared between episodes
            planned.tally[a] = 0
        return body(shown, planned, *options)

    begin = njit(nogil=True)(start)

    def run(
        reach: Any, options: Any, view: Any, plan: Any, books: Any, tables: Any, results: Any, part: Any, orders: Any
    ) -> Any:
        held = (shown(reach[0]), planned(reach[1]), *options)
        return play_all(
            begin,
            held,
            borrowed(view),
            borrowed(plan),
            borrowed(books),
            borrowed(tables),
            borrowed(results),
            part,
            orders,
        )

    return kept(run, program, begin, f"foreign {[type(one).__name__ for one in options]}")


@contextmanager
def _explained(program: Program) -> Iterator[None]:
    """Raise `Uncompilable` for whatever Numba says against it."""
    import numba

    config: Any = numba.config
    before = config.ALWAYS_WARN_UNINIT_VAR
    config.ALWAYS_WARN_UNINIT_VAR = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "Detected uninitialized variable")
            yield
    except Exception as error:  # Numba's own, and whatever its passes stumble over
        raise Uncompilable(_reason(program, error)) from error
    finally:
        config.ALWAYS_WARN_UNINIT_VAR = before


def _reason(program: Program, error: Exception) -> str:
    """What is in the way, in a line that a person can act on."""
    file, text = program.__code__.co_filename, str(error)
    if isinstance(error, RecursionError):
        return f"{file}: functions that call each other cannot be compiled"
    if match := re.match(r"Detected uninitialized variable (\w+)", text):
        return f"{file}: {match[1].split('.')[0]} may be read before it has a value"
    # The first place in the person's file that Numba names is the innermost; it writes them in two ways.
    place = re.search(rf"{re.escape(file)} \((\d+)\)", f"{text} {getattr(error, 'loc', None)}")
    line = int(place[1]) if place else program.__code__.co_firstlineno
    return f"{file}, line {line}: Numba cannot compile {linecache.getline(file, line).strip()!r}"
