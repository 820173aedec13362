"""A collector of OpenTelemetry's, for tests: it takes spans as protobuf over HTTP, on a real socket."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = ["CLIENT", "ERROR", "SERVER", "UNSET", "Collector", "Span", "collecting"]

SERVER, CLIENT = 2, 3
UNSET, ERROR = 0, 2


@dataclass(frozen=True)
class Span:
    """One span, with ids in hexadecimal; `parent` is empty without one. `kind` and `status` are OTLP's numbers."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    status: int
    attributes: dict[str, Any]


class Collector:
    """What was received so far: all `spans`, the `resource` that they are from, and all bytes, `raw`."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}
        self.raw = b""
        self._changed = threading.Condition()

    def forget(self) -> None:
        """Forget what was received."""
        self.spans, self.raw = [], b""

    def roots(self, number: int) -> list[Span]:
        """The spans of so many requests, in the order in which they ended, as soon as they are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._roots) >= number, 60), self.spans
        assert len(self._roots) == number
        return self._roots

    @property
    def _roots(self) -> list[Span]:
        return [span for span in self.spans if span.kind == SERVER]

    def take(self, data: bytes) -> None:
        """Receive one message."""
        with self._changed:
            self._take(data)
            self._changed.notify_all()

    def _take(self, data: bytes) -> None:
        self.raw += data
        for group in ExportTraceServiceRequest.FromString(data).resource_spans:
            self.resource = {one.key: _value(one.value) for one in group.resource.attributes}
            for span in (span for scope in group.scope_spans for span in scope.spans):
                about = {one.key: _value(one.value) for one in span.attributes}
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                self.spans.append(Span(span.name, *ids, span.kind, span.status.code, about))

    def below(self, parent: Span) -> list[Span]:
        """The spans that a span is the parent of."""
        return [span for span in self.spans if span.parent == parent.id]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            collector.take(gzip.decompress(data) if packed else data)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None
