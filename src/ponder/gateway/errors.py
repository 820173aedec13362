"""Why a request is not served."""

from __future__ import annotations

from ponder.core.errors import (
    BackendError,
    PonderError,
    UsageError,
)

__all__ = ["BadRequest", "BreakerOpen", "NotFound", "Refused"]


class Refused(PonderError):
    """A request that is not let in: the HTTP `status`, a `code` for programs, the seconds after which to try again."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class BadRequest(UsageError):
    """The request cannot be carried out as it stands; `param` is the field that is to blame."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class NotFound(UsageError):
    """There is no such model, or no such run."""


class BreakerOpen(BackendError):
    """The upstream is left alone for now; `retry_after` seconds from now it is tried again.

    With `alone` only for the key that asks: others may be served.
    """

    sent = False

    def __init__(self, upstream: str, failures: int, retry_after: float, alone: bool = False) -> None:
        failed = f"upstream {upstream} has failed {failures} times in a row{' for this API key' if alone else ''}"
        super().__init__(f"{failed}; it is tried again in {retry_after:.0f} s")
        self.retry_after = retry_after
        self.alone = alone
