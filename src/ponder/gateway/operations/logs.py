"""The log: one JSON object a line, one line a request."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import msgspec

from ponder.core.errors import describe
from ponder.core.text.secrets import hide
from ponder.gateway.request_record import Record
from ponder.gateway.settings import Config

__all__ = ["JsonLines", "log_request", "set_up"]

LONGEST = 2000
"""Characters of a text in the log."""

_KEY = re.compile(r"\bpk-[0-9a-f]{16}-[A-Za-z0-9_-]{8,}|(?i:\bbearer)\s+\S+|\b(?:sk|hf|gsk|xai)[-_][\w-]{8,}")

_FROM_OUTSIDE = ("message", "error", "trace", "model", "run", "fallback")
"""What may hold words that are not Ponder's own: of a client, of an upstream, of a library."""

_requests = logging.getLogger("ponder.gateway.requests")


def log_request(made: Record) -> None:
    """Write down one request."""
    bill = made.bill
    fields = {
        "run": made.run,
        "key": made.key or None,
        "method": made.method,
        "endpoint": made.endpoint,
        "model": made.model[:200] or None,
        "upstream": made.upstream or None,
        "strategy": made.strategy or None,
        "fallback": made.fallback,
        "status": made.status,
        "code": made.code,
        "error": made.error,
        "prompt_tokens": bill and bill.prompt_tokens,
        "tokens": bill and bill.total_tokens,
        "calls": bill and bill.calls,
        "usd": bill and bill.usd,
        "queued_ms": round(made.queued * 1e3, 1),
        "ms": round(made.seconds * 1e3, 1),
    }
    if _requests.isEnabledFor(logging.INFO):
        # Not `info`, which looks for the line of code that it is called from.
        line = _requests.makeRecord(_requests.name, logging.INFO, "", 0, "request", (), None, extra={"fields": fields})
        _requests.handle(line)


class JsonLines(logging.Formatter):
    """Writes log records as JSON; what looks like a key, or is one of `secrets`, becomes ``***``."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)
        self._clean = lru_cache(maxsize=256)(self._cleaned)  # the same few models, again and again

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower()}
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            line |= {"logger": record.name, "message": record.getMessage()}
        else:
            line["message"] = record.msg
            line |= {name: value for name, value in fields.items() if value is not None}
        if record.exc_info and record.exc_info[1] is not None:
            line |= {"error": describe(record.exc_info[1]), "trace": self.formatException(record.exc_info)}
        for name in _FROM_OUTSIDE:
            if name in line:
                line[name] = self._clean(line[name])
        return msgspec.json.encode(line).decode()

    def _cleaned(self, text: str) -> str:
        text = _KEY.sub("***", hide(text, self._secrets)).encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= LONGEST else "..." + text[-LONGEST:]


def set_up(config: Config, stream: TextIO | None = None) -> None:
    """Send what Ponder and its server log to `stream`, standard error unless given."""
    # They would be found out for each line, and are in none.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    secrets = [os.environ.get(upstream.key_env or "", "").strip() for upstream in config.upstreams.values()]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    for name in ("ponder", "uvicorn", "opentelemetry", "psycopg"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO if name == "ponder" else logging.WARNING)
        logger.propagate = False
