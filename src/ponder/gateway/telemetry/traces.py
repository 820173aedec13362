"""OpenTelemetry: one span for each request for a completion, and below it one for each call to a model.

A span says who asked which model for how much, what it cost and how it ended; never what was said, never a key. Only
the environment variables of OpenTelemetry configure it. Where these ask for no traces, none of it is imported.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ponder.core.answer import Answer
from ponder.core.bill import Bill
from ponder.core.errors import InvalidOption, UsageError
from ponder.gateway.http.asgi import Receive, Scope, Send
from ponder.gateway.request_record import Record, record

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

__all__ = ["CHAT", "close", "cost_of", "describe", "fail", "operation", "set_up", "tell", "traced", "tracer"]

FLUSH = 5.0
"""Seconds that a collector has, at the end, to take what it has not got yet."""

CHAT = "chat"

_OPERATIONS = {"/v1/chat/completions": CHAT, "/v1/completions": "text_completion", "/v1/embeddings": "embeddings"}

operation: ContextVar[str] = ContextVar("operation", default=CHAT)
"""What the request under way asks for."""

_provider: TracerProvider | None = None
_tracer: Tracer | None = None


def set_up() -> None:
    """Trace from now on, if the environment asks for it.

    Raises:
        UsageError: OpenTelemetry is not installed, or its variables ask for what cannot be.
    """
    global _provider, _tracer  # a process has one tracer, as it has one log
    wanted = _wanted()
    if wanted is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError(
            f"{wanted} asks for traces, which need more packages: pip install 'ponder[otel]' ({error})"
        ) from error
    try:
        named = "service.name" in OTELResourceDetector().detect().attributes
        resource = Resource.create({} if named else {"service.name": "ponder"})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        raise InvalidOption(f"the variables OTEL_* are not in order: {error}") from None
    _provider, _tracer = provider, provider.get_tracer("ponder.gateway")


def _wanted() -> str | None:
    """The variable that asks for traces, None if none does.

    Raises:
        InvalidOption: it asks for an exporter or a protocol that is not there.
    """
    exporter = _variable("OTEL_TRACES_EXPORTER")
    if _variable("OTEL_SDK_DISABLED").lower() == "true" or exporter == "none":
        return None
    if exporter not in ("", "otlp"):
        raise InvalidOption(f"OTEL_TRACES_EXPORTER={exporter!r:.80} is none of otlp, none")
    asking = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    wanted = next((name for name in asking if _variable(name)), None)
    if wanted is None:
        return None
    protocols = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    name = next((name for name in protocols if _variable(name)), None)
    if name is not None and _variable(name) != "http/protobuf":
        raise InvalidOption(
            f"{name}={_variable(name)!r:.80}: traces go out by http/protobuf; set it to that, and the endpoint to the"
            " collector's port for it, mostly 4318; or OTEL_TRACES_EXPORTER=none for no traces"
        )
    return wanted


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()


def close() -> None:
    """Send what is left; a collector that does not take it is given up after `FLUSH` seconds."""
    global _provider, _tracer
    if _provider is not None:
        flushing = threading.Thread(target=_provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH)
    _provider = _tracer = None


def tracer() -> Tracer | None:
    """What makes spans, None where nothing is traced."""
    return _tracer


def traced(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """An ASGI application whose requests for completions have a span each; `app` itself where nothing is traced."""
    if _tracer is None:
        return app
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    tracer = _tracer

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        asked = _OPERATIONS.get(scope["path"]) if scope["type"] == "http" else None
        if asked is None:
            await app(scope, receive, send)
            return
        operation.set(asked)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with tracer.start_as_current_span(
            asked, extract(headers), SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                await app(scope, receive, send)
            finally:
                _finish(span, asked, record())

    return serve


def _finish(span: Span, asked: str, made: Record) -> None:
    """What is known of a request when it has ended."""
    model = made.model[:200]
    span.update_name(f"{made.strategy or asked} {model}".strip())
    about = {
        "gen_ai.operation.name": asked,
        "gen_ai.request.model": model or None,
        "http.request.method": made.method,
        "http.route": made.endpoint,
        "http.response.status_code": made.status,
        "ponder.run": made.run,
        "ponder.key": made.key or None,
        "ponder.strategy": made.strategy or None,
        "ponder.upstream": made.upstream or None,
        "ponder.fallback": made.fallback,
        "ponder.queued_seconds": made.queued,
    }
    if made.bill is not None:
        about |= cost_of(made.bill)
        about |= {"ponder.calls": made.bill.calls, "ponder.usd": made.bill.usd}
    describe(span, about)
    if made.code is not None or 400 <= made.status != 499:  # 499: the client went away
        fail(span, made.code or str(made.status))


def tell(answer: Answer) -> None:
    """Say of the request under way how its run ended."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        about = {"ponder.stopped_because": answer.stopped_because, "ponder.confidence": answer.confidence}
        describe(get_current_span(), about | {"ponder.sequential_tokens": answer.bill.sequential_tokens})


def cost_of(bill: Bill) -> dict[str, Any]:
    """The tokens of a bill, under their names in OpenTelemetry."""
    return {
        "gen_ai.usage.input_tokens": bill.prompt_tokens,
        "gen_ai.usage.output_tokens": bill.total_tokens,
        "gen_ai.usage.cache_read.input_tokens": bill.cached_prompt_tokens,
        "gen_ai.usage.reasoning.output_tokens": bill.thinking_tokens,
    }


def describe(span: Span, about: Mapping[str, Any]) -> None:
    """Set attributes; what is None is not known."""
    span.set_attributes({name: value for name, value in about.items() if value is not None})


def fail(span: Span, code: str) -> None:
    """Mark a span as failed. The text of an error may quote what was said, so it is left out."""
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", code)
    span.set_status(StatusCode.ERROR, code)
