"""Which pages in a browser may read what the gateway answers (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

from ponder.core.errors import UsageError
from ponder.gateway.wire.openapi import TOLD

__all__ = ["ANY", "allowing", "check_origin", "readable_by"]

ANY = "*"
"""As an origin: every page."""

_PORTS = {"http": 80, "https": 443}
_AGE = 600
"""Seconds for which a browser need not ask again."""


def allowing(app: Callable[..., Awaitable[None]], origins: Sequence[str]) -> Callable[..., Awaitable[None]]:
    """`app`, whose answers pages of these `origins` may read: errors and streams, too; without any, `app` itself.

    A preflight is answered here: it comes without a key.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=("GET", "POST"), allow_headers=(ANY,), max_age=_AGE,
        expose_headers=(*TOLD, "Retry-After"),
    )  # fmt: skip


def readable_by(origins: Sequence[str], origin: bytes | None) -> dict[str, str]:
    """The headers of an answer that `allowing` never sees, to a request of this `origin`; None if it was not read yet.

    Without it the only one of `origins` is told, which a browser compares itself; of several none can be.
    """
    if ANY in origins:
        return {"access-control-allow-origin": ANY}
    asking = origin.decode("latin-1") if origin is not None else origins[0] if len(origins) == 1 else None
    if asking is None or asking not in origins:
        return {}
    return {"access-control-allow-origin": asking, "vary": "Origin"}


def check_origin(origin: object) -> None:
    """Whether a browser sends `origin` like that.

    Raises:
        UsageError: it does not.
    """
    if origin == ANY:
        return
    hint = 'write "https://app.example", as browsers send it, or "*" for every page'
    if not isinstance(origin, str):
        raise UsageError(f"{origin!r} is no origin; {hint}")
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{origin!r} is no origin ({error}); {hint}") from None
    host = parts.hostname or ""
    if not host or not origin.isascii() or any(mark in origin for mark in "*?#@ ,\\") or parts.path not in ("", "/"):
        raise UsageError(f"{origin!r} is no origin; {hint}")
    host = f"[{host}]" if ":" in host else host
    sent = f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _PORTS.get(parts.scheme)) else "")
    if origin != sent:
        raise UsageError(f"{origin!r} never comes; browsers send {sent!r}")
