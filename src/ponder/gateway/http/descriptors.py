"""How many clients may be connected: each takes a descriptor, and so does every upstream, file and database."""

from __future__ import annotations

from contextlib import suppress

__all__ = ["most_connections"]

MOST = 16_384
"""One that rests takes 10 kB of memory, so all of them 160 MB."""


def most_connections() -> int:
    """Raise the limit of open files to what the process is allowed, and give half of it, but no more than `MOST`.

    Systems start programs with a low one, mostly 1,024, for the sake of those that use `select`, which this does not.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST
    allowed, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        allowed = hard
    return MOST if allowed == resource.RLIM_INFINITY else max(1, min(MOST, allowed // 2))
