"""The process that does what may hang, crash or eat memory, so that it can be killed without loss.

``python -m ponder.workers.worker CPU_SECONDS MEMORY_BYTES`` reads jobs from standard input and writes replies to
standard output, each a JSON text behind its length in four bytes. A job is ``[name, *arguments]``; a reply is
``{"value": ...}``, ``{"error": "one line"}`` or ``{"undecided": "one line"}``, with the ``seconds`` of CPU time that
the job has taken. The first job of each name has two replies: one to a rehearsal of that kind of job, then its own.
The process ends with its input, that is, its parent.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

__all__ = ["JOBS", "main", "receive", "send"]

_LENGTH = struct.Struct(">I")


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    body = json.dumps(message).encode()
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (size,) = _LENGTH.unpack(head)
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return json.loads(body)


def _same(left: str, right: str) -> bool:
    """Whether two formulas are equal; see `ponder.workers.algebra`."""
    from ponder.workers.algebra import same

    return same(left, right)


def _same_units(left: list[list[str]], right: list[list[str]]) -> bool:
    """Whether two sums of quantities are equal; see `ponder.workers.units`."""
    from ponder.workers.units import same

    return same(left, right)


def _search(pattern: str, text: str) -> bool:
    import re

    return re.search(pattern, text) is not None


def _valid(schema: Any, text: str) -> bool:
    """Whether `text` is JSON that the schema allows; references are resolved inside the schema only."""
    from jsonschema.validators import validator_for
    from referencing import Registry

    try:
        value = json.loads(text)
    except ValueError:
        return False
    return bool(validator_for(schema)(schema, registry=Registry()).is_valid(value))


def _call(where: str, *arguments: Any) -> Any:
    """What a function of Ponder's, ``MODULE:NAME``, makes of texts: for layers above this one."""
    from importlib import import_module

    module, _, name = where.partition(":")
    return getattr(import_module(module), name)(*arguments)


JOBS: dict[str, Callable[..., Any]] = {
    "same": _same,
    "same_units": _same_units,
    "search": _search,
    "valid": _valid,
    "call": _call,
}

_REHEARSALS: dict[str, tuple[Any, ...]] = {
    "same": (r"x+\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}+x"),
    "same_units": ([["5", "km"]], [["5000", "m"]]),
    "search": ("", ""),
    "valid": ({}, "{}"),
    "call": ("builtins:len", ""),
}
"""A first job of each kind, done before the clock starts: it pays for the imports."""


def _run(job: list[Any]) -> dict[str, Any]:
    name, *arguments = job
    try:
        return {"value": JOBS[name](*arguments)}
    except (RecursionError, MemoryError) as error:
        return {"undecided": f"{name} was given up: {type(error).__name__}"}
    except Exception as error:  # noqa: BLE001 - whatever a job raises is its result
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = size if hard == resource.RLIM_INFINITY else min(size, hard)
    with suppress(ValueError, OSError):  # systems that know the limit and refuse it
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))


def _set_clock(seconds: float) -> None:
    """Die after so many seconds of CPU time: a busy machine does not change which answers are decided."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def main(seconds: float, memory: int) -> None:
    """Serve jobs until the input ends."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # whatever a library prints must not reach the wire
    _limit_memory(memory)
    ready: set[str] = set()
    while True:
        try:
            job = receive(source)
        except EOFError:
            return
        if job[0] not in ready:
            send(sink, _run([job[0], *_REHEARSALS[job[0]]]))
            ready.add(job[0])
        _set_clock(seconds)
        began = time.process_time()
        reply = _run(job)
        _set_clock(0)
        send(sink, {**reply, "seconds": time.process_time() - began})


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
