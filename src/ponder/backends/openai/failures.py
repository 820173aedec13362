"""What went wrong with a call, as one line that names the server and the model and holds no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ponder.backends.http1.connection import Response
from ponder.backends.http1.failures import Broken, CallFailed, Insecure, Silent, Unconnected
from ponder.backends.openai.retry_after import read_retry_after
from ponder.core.errors import BackendError, BrokenReply, CallTimeout, RateLimited, Rejected, Unreachable
from ponder.core.text.quoting import quoted
from ponder.core.text.secrets import hide

__all__ = ["Place", "from_event", "from_failure", "from_response", "message_of"]

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
        return f"{self.url} (model {quoted(self.model)})"

    def hide(self, data: bytes) -> bytes:
        """`data` without the keys that go there."""
        text = data.decode("utf-8", "surrogateescape")
        return hide(text, self._secrets).encode("utf-8", "surrogateescape")

    def clean(self, text: str) -> str:
        """`text` as one line of at most `LONGEST_MESSAGE` characters, without keys."""
        line = " ".join(_SECRET.sub("***", hide(text, self._secrets)).split())
        return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3] + "..."


def from_response(place: Place, response: Response, text: str, known: Sequence[str] = ()) -> BackendError:
    """The error for a response with a status other than 200 and a body `text`; `known` are the server's models."""
    return _from_status(
        place, response.status, text, response.header(b"location"), response.header(b"retry-after"), known
    )


def _from_status(
    place: Place, status: int, text: str, location: str = "", wait: str = "", known: Sequence[str] = ()
) -> BackendError:
    said = place.clean(message_of(text))
    detail = f": {said}" if said else ""
    if status in (401, 403):
        return Rejected(f"{place} answered {status}; {place.unauthorized}{detail}", status)
    if status == 429 and "insufficient_quota" not in text:
        return RateLimited(f"{place} answered 429, too many calls{detail}", read_retry_after(wait))
    if status == 408:
        return CallTimeout(f"{place} answered 408, time is up{detail}")
    if status >= 500:
        return Unreachable(f"{place} answered {status}{detail}", status)
    if 300 <= status < 400:
        target = place.clean(location or "elsewhere")
        return Rejected(f"{place} answered {status} and points to {target}; give that address as the base URL", status)
    if status == 404 and known and place.model not in known:
        those = ", ".join(known[:MODELS_SHOWN])
        return Rejected(f"{place.url} has no model {quoted(place.model)}; it has {those}", status)
    if status == 404:
        return Rejected(f"{place} answered 404: check the address and the model's name{detail}", status)
    return Rejected(f"{place} answered {status}{detail}", status, text)


def from_event(place: Place, error: object) -> BackendError:
    """The error for a reply that says ``{"error": ...}`` although its status was 200."""
    code = error.get("code", error.get("status_code")) if isinstance(error, dict) else None
    text = json.dumps({"error": error})
    if isinstance(code, int) and 400 <= code < 500:
        return _from_status(place, code, text)
    return BrokenReply(f"{place} broke off with an error: {place.clean(message_of(text))}")


def from_failure(place: Place, failure: CallFailed) -> BackendError:
    """The error for a call that got no whole response."""
    reason = place.clean(str(failure))
    match failure:
        case Silent():
            return CallTimeout(f"{place} gave no sign of life for {failure.seconds:g} seconds")
        case Insecure():
            return Rejected(f"no secure connection to {place}: {reason}")
        case Unconnected():
            return Unreachable(f"cannot reach {place}: {reason}; is the server running?")
        case Broken(begun=False):
            return BrokenReply(f"{place} closed the connection without an answer")
        case Broken():
            return BrokenReply(f"{place} closed the connection in the middle of its reply")
    return BrokenReply(f"{place} gave a reply that is no HTTP: {reason}")


def message_of(text: str) -> str:
    """The server's own words: the ``message`` of a JSON error, or the text itself unless it is a web page."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text
    for key in ("error", "message", "detail"):
        if isinstance(fields, dict) and key in fields:
            fields = fields[key]
    return fields if isinstance(fields, str) else json.dumps(fields)
