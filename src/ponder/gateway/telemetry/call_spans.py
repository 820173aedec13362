"""A span for each call to a model, below that of the request that it is made for; the model's server is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ponder.backends.http1.connection import Headers
from ponder.backends.openai.transport import extra_headers
from ponder.core.backend import Backend, Progress, Request
from ponder.core.bill import Bill
from ponder.core.completion import Completion
from ponder.core.errors import BackendError
from ponder.gateway.request_record import record
from ponder.gateway.settings import LOCAL
from ponder.gateway.telemetry.traces import cost_of, describe, fail, operation, tracer

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["Call", "calling", "passing", "relabelled"]

_NOTHING: AbstractContextManager[None] = nullcontext()


class Call:
    """One call; its `completion` is there once it has succeeded."""

    def __init__(self) -> None:
        self.completion: Completion | None = None


def calling(
    backend: Backend, upstream: str, request: Request, progress: Progress
) -> AbstractContextManager[Call | None]:
    """The span of a call that a strategy makes; None where nothing is traced."""
    made = tracer()
    return _NOTHING if made is None else _calling(made, backend, upstream, request, progress)


def passing(model: str, upstream: str, bill: Callable[[], Bill]) -> AbstractContextManager[None]:
    """The span of the call of a request that passes through; `bill` says in the end what it came to."""
    made = tracer()
    return _NOTHING if made is None else _passing(made, model, upstream, bill)


def relabelled(headers: Headers) -> Headers:
    """A client's headers, with the span under way in the place of the client's own."""
    ours = extra_headers.get()
    if ours is None:
        return headers
    from opentelemetry.propagate import get_global_textmap

    theirs = {name.encode() for name in get_global_textmap().fields}
    made = [(name.encode(), value.encode()) for name, value in ours.items()]
    return [header for header in headers if header[0] not in theirs] + made


@contextmanager
def _calling(tracer: Tracer, backend: Backend, upstream: str, request: Request, progress: Progress) -> Iterator[Call]:
    call = Call()
    with _span(tracer, backend.model, upstream, inside=backend.name.startswith(LOCAL)) as span:
        describe(span, _asked(request))
        try:
            yield call
        finally:
            describe(span, _given(call.completion, progress))


@contextmanager
def _passing(tracer: Tracer, model: str, upstream: str, bill: Callable[[], Bill]) -> Iterator[None]:
    with _span(tracer, model, upstream, inside=False) as span:
        try:
            yield
        finally:
            describe(span, cost_of(bill()))
        if record().status >= 400:  # an upstream that refuses says so to the client itself
            fail(span, str(record().status))


@contextmanager
def _span(tracer: Tracer, model: str, upstream: str, *, inside: bool) -> Iterator[Span]:
    """The span of a call to a server, or to a model `inside` of this process."""
    from opentelemetry.propagate import inject
    from opentelemetry.trace import SpanKind

    about = {
        "gen_ai.operation.name": operation.get(),
        "gen_ai.provider.name": "llama.cpp" if inside else "openai",
        "gen_ai.request.model": model[:200],
        "ponder.upstream": upstream,
    }
    headers: dict[str, str] = {}
    with tracer.start_as_current_span(
        f"{operation.get()} {model[:200]}", kind=SpanKind.INTERNAL if inside else SpanKind.CLIENT, attributes=about,
        record_exception=False, set_status_on_exception=False,
    ) as span:  # fmt: skip
        inject(headers)
        token = extra_headers.set(headers)
        try:
            yield span
        except BackendError as error:
            fail(span, str(getattr(error, "status", None) or type(error).__name__))
            raise
        except asyncio.CancelledError:
            span.set_attribute("ponder.cancelled", True)
            raise
        finally:
            extra_headers.reset(token)


def _asked(request: Request) -> dict[str, Any]:
    return {
        "gen_ai.request.choice.count": request.n,
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.top_p": request.top_p,
        "ponder.branches": request.branches,
    }


def _given(completion: Completion | None, progress: Progress) -> dict[str, Any]:
    """What came back; of a call that was cut, or broke, what there was of it."""
    if completion is None:
        return {
            "gen_ai.usage.input_tokens": progress.prompt_tokens,
            "gen_ai.usage.output_tokens": sum(progress.tokens),
            "gen_ai.usage.cache_read.input_tokens": progress.cached_tokens,
        }
    return {
        "gen_ai.response.finish_reasons": [choice.finish for choice in completion.choices],
        "gen_ai.usage.input_tokens": completion.usage.prompt,
        "gen_ai.usage.output_tokens": completion.usage.output,
        "gen_ai.usage.cache_read.input_tokens": completion.usage.cached,
    }
