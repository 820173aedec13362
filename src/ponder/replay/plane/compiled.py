"""Controllers and the environment, compiled by Numba from the source that also runs interpreted."""

from __future__ import annotations

import types as python_types
from collections.abc import Callable
from functools import cache
from typing import Any

from ponder.core.errors import MissingCapability
from ponder.replay.plane import rounds as environment
from ponder.replay.plane.code_on_disk import Kept, made_from
from ponder.replay.plane.pointers import borrowing

__all__ = ["compiled", "compiled_play_all", "kept"]


@cache
def compiled(function: Callable[..., Any], *, careful: bool = False) -> Any:
    """A plain function or generator function, and every plain function that it calls, compiled.

    If `careful`, its own arrays are checked at every access, and a division by zero raises.

    Raises:
        MissingCapability: Numba is not installed.
        TypeError: not a plain function.
    """
    numba = _numba()
    if not isinstance(function, python_types.FunctionType):
        raise TypeError(f"{function!r} is no plain function")
    # Compiled code calls compiled functions only, so the names that the body looks up are bound to those.
    names = dict(function.__globals__)
    for name in function.__code__.co_names:
        found = names.get(name)
        if isinstance(found, python_types.FunctionType) and found is not function:
            names[name] = compiled(found, careful=careful)
    copy = python_types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    return numba.njit(nogil=True, error_model="python" if careful else "numpy", boundscheck=careful)(copy)


@cache
def compiled_play_all(program: Callable[..., Any]) -> Any:
    """`environment.play_all` with this program built in, compiled; takes NumPy arrays for lists."""
    play_all, borrowed, body = compiled(environment.play_all), borrowing(), compiled(program)

    def run(options: Any, view: Any, plan: Any, books: Any, tables: Any, results: Any, part: Any, orders: Any) -> Any:
        return play_all(
            body,
            options,
            borrowed(view),
            borrowed(plan),
            borrowed(books),
            borrowed(tables),
            borrowed(results),
            part,
            orders,
        )

    return kept(run, program, body)


def kept(run: Callable[..., Any], program: Any, body: Any, kind: str = "") -> Any:
    """The function compiled, or as it was when it was last compiled with this program, for this kind of use.

    `body` is the dispatcher that the function passes on.
    """
    dispatcher = _numba().njit(nogil=True)(run)
    source = made_from(program, kind)
    if source:
        dispatcher._cache = Kept(source, body)
    return dispatcher


def _numba() -> Any:
    try:
        import numba
    except ModuleNotFoundError:
        raise MissingCapability("compiled replay needs Numba: pip install 'ponder[replay]'") from None
    return numba
