"""Which headers go on: of a client to an upstream, of an upstream to a client. No others do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ponder.backends.http1.connection import Headers
from ponder.core.errors import InvalidOption
from ponder.core.text.quoting import quoted

__all__ = ["REQUEST", "RESPONSE", "check_request_header", "check_response_header", "passed_on"]

REQUEST = frozenset({b"traceparent", b"tracestate"})
"""Of a client's headers: the trace that its request belongs to."""

RESPONSE = frozenset({b"cache-control", b"x-request-id"})
"""Of an upstream's headers: how long an answer holds, and its name for the request."""

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""RFC 9110, section 7.6.1: they are about one connection, not about the message."""

_BODY = frozenset((b"content-length", b"content-type", b"content-encoding"))

_WHY: Mapping[str, Mapping[bytes, str]] = {
    "request": {
        **dict.fromkeys(_HOP_BY_HOP | {b"host", b"expect", b"accept-encoding"}, "it is about one connection"),
        **dict.fromkeys(_BODY, "the gateway says itself what it sends"),
    },
    "response": {
        **dict.fromkeys(_HOP_BY_HOP | {b"date", b"server"}, "it is about one connection"),
        **dict.fromkeys(_BODY | {b"retry-after"}, "the gateway says itself what it sends"),
    },
}

_OURS = (b"x-ponder-", b"access-control-")
"""How headers begin that are the gateway's to say."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,100}")


def passed_on(headers: Headers, allowed: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Of `headers`, whose names are in lower case, those that are `allowed`, and not about the connection alone."""
    kept = [header for header in headers if header[0] in allowed]
    if kept and (named := [value for name, value in headers if name == b"connection"]):
        hop = {name.strip().lower() for value in named for name in value.split(b",")}
        kept = [header for header in kept if header[0] not in hop]
    return kept


def check_request_header(name: object) -> None:
    """See that a client's header of this name may be configured to go on.

    Raises:
        InvalidOption: it may not.
    """
    _check(name, "request", ())


def check_response_header(name: object) -> None:
    """See that an upstream's header of this name may be configured to go on.

    Raises:
        InvalidOption: it may not.
    """
    _check(name, "response", _OURS)


def _check(name: object, direction: str, ours: Iterable[bytes]) -> None:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name.lower()):
        raise InvalidOption(f"{quoted(name)} is no name of a header")
    lower = name.lower().encode()
    why = _WHY[direction].get(lower)
    if why is None and any(lower.startswith(prefix) for prefix in ours):
        why = "it is the gateway's own"
    if why is not None:
        raise InvalidOption(f"the header {name} cannot go on: {why}")
