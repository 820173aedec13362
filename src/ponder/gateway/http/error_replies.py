"""What went wrong, in the shape of the chat API: a status, and ``{"error": {message, type, param, code}}``."""

from __future__ import annotations

import logging
import random
import re
from dataclasses import dataclass, field
from typing import Any

from ponder.core.errors import (
    BackendError,
    CallTimeout,
    PonderError,
    RateLimited,
    Rejected,
    RunBusy,
    StoreError,
    UnknownName,
    Unreachable,
    UsageError,
)
from ponder.core.text.quoting import one_line
from ponder.gateway.errors import BadRequest, BreakerOpen, NotFound, Refused
from ponder.gateway.request_record import record

__all__ = ["Failure", "failure_of", "wait_of"]

_ADDRESS = re.compile(r"\bhttps?://[^\s'\",;)]+")

_log = logging.getLogger("ponder.gateway")

_LONGEST_WAIT = 86_400
"""Seconds; an upstream may say anything."""

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it goes over the wire."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body; in a stream, the payload of an event."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def failure_of(error: BaseException) -> Failure:
    """How a client is told of `error`, which is put on record.

    What nobody foresaw is logged, and its text is not for strangers; neither is where upstreams are.
    """
    failure = _failure_of(error, one_line(str(error)))
    record().code = failure.code
    if isinstance(error, Unreachable | StoreError):  # other texts may quote what was asked or answered
        record().error = one_line(str(error))
    return failure


def _failure_of(error: BaseException, text: str) -> Failure:
    match error:
        case Refused():
            return Failure(error.status, text, error.code, headers=_wait(error.retry_after))
        case BadRequest():
            return Failure(400, text, "bad_request", error.param)
        case NotFound():
            return Failure(404, text, "not_found")
        case UnknownName():
            return Failure(400, text, "unknown_name")
        case UsageError():
            return Failure(400, text, "bad_request")
        case BackendError():
            return _of_upstream(error, _ADDRESS.sub("the upstream", text))
        case RunBusy():
            return Failure(409, text, "run_busy", headers=_wait(1))
        case StoreError():  # it names places on this machine
            return Failure(503, "the gateway's store fails; the server's log says more", "store_error")
        case PonderError():
            return Failure(500, text, "run_failed")
        case _:
            _log.error("internal error", exc_info=error)
            return Failure(500, "internal error; the server's log says more", "internal_error")


def _of_upstream(error: BackendError, text: str) -> Failure:
    match error:
        case RateLimited():
            return Failure(429, text, "upstream_rate_limit", headers={"retry-after": wait_of(error.retry_after)})
        case BreakerOpen():
            return Failure(503, text, "upstream_down", headers=_wait(error.retry_after))
        case CallTimeout():
            return Failure(504, text, "upstream_timeout")
        case Rejected():
            status = error.status or 400
            # What the upstream has against the gateway's own key is nothing that a client can put right.
            own = status in (401, 403) or status < 400
            return Failure(502 if own else status, text, "upstream_rejected")
        case _:
            return Failure(502, text, "upstream_error")


def wait_of(wish: float | None) -> str:
    """The ``Retry-After`` for clients of an upstream with this wish; without one they come back one after the other."""
    seconds = random.uniform(1, 4) if wish is None else wish
    return f"{min(max(1, round(seconds)), _LONGEST_WAIT)}"


def _wait(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": wait_of(seconds)}
