"""Controllers and the environment, compiled by Numba from the source that also runs interpreted."""

from __future__ import annotations

import types as python_types
from collections.abc import Callable
from functools import cache
from typing import Any

from ponder.core.errors import MissingCapability
from ponder.replay import environment

__all__ = ["compiled", "compiled_play_all"]


@cache
def compiled(function: Callable[..., Any]) -> Any:
    """A plain function or generator function, and every plain function that it calls, compiled.

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
            names[name] = compiled(found)
    copy = python_types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    return numba.njit(nogil=True, error_model="numpy")(copy)


@cache
def compiled_play_all() -> Any:
    """`environment.play_all`, compiled; takes the same arguments, with NumPy arrays for lists."""
    play_all, borrowed = compiled(environment.play_all), _borrowed()

    def run(
        program: Any, options: Any, view: Any, plan: Any, books: Any, tables: Any, results: Any, part: Any, orders: Any
    ) -> Any:
        return play_all(
            program,
            options,
            borrowed(view),
            borrowed(plan),
            borrowed(books),
            borrowed(tables),
            borrowed(results),
            part,
            orders,
        )

    return _numba().njit(nogil=True)(run)


def _borrowed() -> Any:
    """A compiled function: a named tuple of arrays as one of bare pointers, on the memory of the arrays.

    An array is counted whenever it is passed on, or kept over a ``yield``, by an atomic operation each time; with forty
    of them that takes a hundred times as long as what a controller does with them.
    """
    from numba.core import cgutils
    from numba.core import types as numba_types
    from numba.extending import intrinsic

    types: Any = numba_types  # which has none itself
    unpacked: Any = cgutils.unpack_tuple

    def build(context: Any, bundle: Any) -> Any:
        bare = [types.CPointer(kind.dtype) if isinstance(kind, types.Array) else kind for kind in bundle.types]
        made = types.BaseTuple.from_types(bare, bundle.instance_class)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            fields = unpacked(builder, arguments[0], len(bare))
            for i, kind in enumerate(bundle.types):
                if isinstance(kind, types.Array):
                    fields[i] = context.make_array(kind)(context, builder, fields[i]).data
            return context.make_tuple(builder, made, fields)

        return made(bundle), generate

    return intrinsic(build)


def _numba() -> Any:
    try:
        import numba
    except ModuleNotFoundError:
        raise MissingCapability("compiled replay needs Numba: pip install 'ponder[replay]'") from None
    return numba
