"""What compiled controllers hold instead of arrays: a pointer and a length, checked at every access."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["borrowing", "guarding", "kinds"]


@cache
def borrowing() -> Any:
    """A compiled function: a named tuple of arrays as one of bare pointers, on the memory of the arrays.

    An array is counted whenever it is passed on, or kept over a ``yield``, by an atomic operation each time; with forty
    of them that takes a hundred times as long as what a controller does with them.
    """
    from numba.core import types as numba_types

    types: Any = numba_types  # which has none itself

    def convert(context: Any, builder: Any, kind: Any, array: Any, made: Any) -> Any:
        return context.make_array(kind)(context, builder, array).data

    return _fieldwise(lambda kind: types.CPointer(kind.dtype), convert)


@cache
def guarding(writable: bool) -> Any:
    """A compiled function: a named tuple of arrays as one of guarded pointers, which raise IndexError."""
    from numba.core import cgutils

    guarded = _guarded()
    struct: Any = cgutils.create_struct_proxy

    def convert(context: Any, builder: Any, kind: Any, array: Any, made: Any) -> Any:
        source = context.make_array(kind)(context, builder, array)
        held = struct(made)(context, builder)
        held.data, held.size = source.data, source.nitems
        return held._getvalue()

    return _fieldwise(lambda kind: guarded(kind.dtype, writable), convert)


def kinds(bundle: Any, writable: bool) -> Any:
    """The type of what `guarding` makes of this bundle."""
    from numba import from_dtype
    from numba.core import types as numba_types

    types: Any = numba_types
    fields = [_guarded()(from_dtype(array.dtype), writable) for array in bundle]
    return types.BaseTuple.from_types(fields, type(bundle))


def _fieldwise(become: Any, convert: Any) -> Any:
    from numba.core import cgutils
    from numba.core import types as numba_types
    from numba.extending import intrinsic

    types: Any = numba_types
    unpacked: Any = cgutils.unpack_tuple

    def build(context: Any, bundle: Any) -> Any:
        kinds = [become(kind) if isinstance(kind, types.Array) else kind for kind in bundle.types]
        made = types.BaseTuple.from_types(kinds, bundle.instance_class)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            fields = unpacked(builder, arguments[0], len(kinds))
            for i, kind in enumerate(bundle.types):
                if isinstance(kind, types.Array):
                    fields[i] = convert(context, builder, kind, fields[i], kinds[i])
            return context.make_tuple(builder, made, fields)

        return made(bundle), generate

    return intrinsic(build)


@cache
def _guarded() -> Any:
    """The type of a guarded pointer, with how it is read and written."""
    import operator

    from numba.core import types as numba_types
    from numba.extending import make_attribute_wrapper, models, overload, register_model

    types: Any = numba_types
    struct_model: Any = models.StructModel

    class Guarded(types.Type):  # type: ignore[misc]
        def __init__(self, dtype: Any, writable: bool) -> None:
            self.dtype, self.writable = dtype, writable
            super().__init__(name=f"Guarded({dtype}, {writable})")

    @register_model(Guarded)
    class Model(struct_model):  # type: ignore[misc]
        def __init__(self, manager: Any, kind: Any) -> None:
            members = [("data", types.CPointer(kind.dtype)), ("size", types.int64)]
            super().__init__(manager, kind, members)

    make_attribute_wrapper(Guarded, "data", "data")
    make_attribute_wrapper(Guarded, "size", "size")

    @overload(operator.getitem)
    def get(held: Any, index: Any) -> Any:
        if not (isinstance(held, Guarded) and isinstance(index, types.Integer)):
            return None

        def read(held: Any, index: Any) -> Any:
            if index < 0 or index >= held.size:
                raise IndexError
            return held.data[index]

        return read

    @overload(operator.setitem)
    def put(held: Any, index: Any, value: Any) -> Any:
        if not (isinstance(held, Guarded) and held.writable and isinstance(index, types.Integer)):
            return None
        fits = (types.Integer, types.Boolean, *([types.Float] if isinstance(held.dtype, types.Float) else []))
        if not isinstance(value, fits):
            return None

        def write(held: Any, index: Any, value: Any) -> None:
            if index < 0 or index >= held.size:
                raise IndexError
            held.data[index] = value

        return write

    return Guarded
