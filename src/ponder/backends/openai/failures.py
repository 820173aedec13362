"""What went wrong with a call, as one line that names the server and the model and holds no secret."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ponder.core.errors import BackendError, BrokenReply, CallTimeout, RateLimited, Rejected, Unreachable

__all__ = ["Place", "from_event", "from_exception", "from_status", "message_of", "retry_after"]

LONGEST_MESSAGE = 200

MODELS_SHOWN = 8

_SECRET = re.compile(r"\b(?:sk|pk|rk|hf|gsk|xai|key|token)[-_][\w*.-]{6,}|(?i:bearer)\s+\S+")


class Place:
    """Where calls go, for messages.

    `url` is without credentials; `unauthorized` is what to say about them when they are refused; `secrets` never
    leave in a message.
    """

    def __init__(self, url: str, model: str, unauthorized: str, secrets: Sequence[str]) -> None:
        self.url = url
        self.model = model
        self.unauthorized = unauthorized
        self._secrets = secrets

    def __str__(self) -> str:
        return f"{self.url} (model {self.model!r})"

    def hide(self, data: bytes) -> bytes:
        """`data` without the keys that go there."""
        for secret in self._secrets:
            data = data.replace(secret.encode(), b"***")
        return data

    def clean(self, text: str) -> str:
        """`text` as one line of at most `LONGEST_MESSAGE` characters, without keys."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        line = " ".join(_SECRET.sub("***", text).split())
        return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3] + "..."


def from_status(
    place: Place, status: int, headers: Mapping[str, str], text: str, known: Sequence[str] = ()
) -> BackendError:
    """The error for an answer with a status other than 200; `known` are the server's models, if it says."""
    said = place.clean(message_of(text))
    detail = f": {said}" if said else ""
    if status in (401, 403):
        return Rejected(f"{place} answered {status}; {place.unauthorized}{detail}", status)
    if status == 429 and "insufficient_quota" not in text:
        return RateLimited(f"{place} answered 429, too many calls{detail}", retry_after(headers))
    if status == 408:
        return CallTimeout(f"{place} answered 408, time is up{detail}")
    if status >= 500:
        return Unreachable(f"{place} answered {status}{detail}")
    if 300 <= status < 400:
        target = place.clean(headers.get("Location", "elsewhere"))
        return Rejected(f"{place} answered {status} and points to {target}; give that address as the base URL", status)
    if status == 404 and known and place.model not in known:
        return Rejected(f"{place.url} has no model {place.model!r}; it has {', '.join(known[:MODELS_SHOWN])}", status)
    if status == 404:
        return Rejected(f"{place} answered 404: check the address and the model's name{detail}", status)
    return Rejected(f"{place} answered {status}{detail}", status)


def from_event(place: Place, error: object) -> BackendError:
    """The error for a reply that says ``{"error": ...}`` although its status was 200."""
    code = error.get("code", error.get("status_code")) if isinstance(error, dict) else None
    text = json.dumps({"error": error})
    if isinstance(code, int) and 400 <= code < 500:
        return from_status(place, code, {}, text)
    return BrokenReply(f"{place} broke off with an error: {place.clean(message_of(text))}")


def from_exception(place: Place, error: BaseException, seconds: float) -> BackendError:
    """The error for what the HTTP client raised; `seconds` is the time limit that applied."""
    import aiohttp

    reason = place.clean(str(error))
    if isinstance(error, TimeoutError):
        return CallTimeout(f"{place} gave no sign of life for {seconds:g} seconds")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Rejected(f"no secure connection to {place}: {reason}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"cannot reach {place}: {place.clean(_reason(error.os_error))}; is the server running?")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return BrokenReply(f"{place} closed the connection without an answer")
    if isinstance(error, aiohttp.ClientOSError):
        return Unreachable(f"the connection to {place} broke: {reason}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return BrokenReply(f"{place} closed the connection in the middle of its reply")
    return BrokenReply(f"{place} gave a reply that is no HTTP: {type(error).__name__}")


def _reason(error: OSError) -> str:
    """The system's words; asyncio puts its own in their place, and name look-ups have negative numbers."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def message_of(text: str) -> str:
    """The server's own words: the ``message`` of a JSON error, or the text itself unless it is a web page."""
    try:
        fields = json.loads(text)
    except ValueError:
        return "" if text.lstrip().startswith("<") else text
    for key in ("error", "message", "detail"):
        if isinstance(fields, dict) and key in fields:
            fields = fields[key]
    return fields if isinstance(fields, str) else json.dumps(fields)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait from ``Retry-After`` (RFC 9110, section 10.2.3): a number, or a date; None if it is neither."""
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
