"""What Prometheus collects: counts, latencies, the queue, the breakers. Names of keys, never keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ponder.gateway.admission.fair_queue import FairQueue
from ponder.gateway.operations.retention import StoreSize
from ponder.gateway.request_record import Record
from ponder.gateway.upstreams.breaker import Breaker

__all__ = ["Metrics"]

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)

T = TypeVar("T", Counter, Histogram)

STATES = {"closed": 0, "half-open": 1, "open": 2}


class Metrics:
    """The metrics of one gateway, in a registry of their own.

    All labels have few values: names from the configuration, of keys, of registered strategies, and codes.
    """

    def __init__(self, queue: FairQueue, breakers: Mapping[str, Breaker], store: StoreSize) -> None:
        self._registry = registry = CollectorRegistry()
        self._child = lru_cache(maxsize=4096)(_labelled)  # `labels` checks them each time
        who = ["key", "strategy"]
        self._requests = Counter(
            "ponder_requests", "Requests.", ["endpoint", *who, "upstream", "status"], registry=registry
        )
        self._errors = Counter(
            "ponder_errors", "Requests that were refused, or failed.", ["key", "code"], registry=registry
        )
        self._tokens = Counter(
            "ponder_tokens", "Tokens; thinking and discarded are parts of output, cached of prompt, estimated of both.",
            [*who, "kind"], registry=registry,
        )  # fmt: skip
        self._usd = Counter("ponder_usd", "Dollars, where the price is known.", who, registry=registry)
        self._seconds = Histogram(
            "ponder_request_seconds", "Time to the end of the answer.", ["endpoint", "strategy"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._queued = Histogram(
            "ponder_queue_seconds", "Time that requests waited for their turn.", buckets=SECONDS, registry=registry
        )
        Gauge("ponder_queue_waiting", "Requests that wait.", registry=registry).set_function(lambda: queue.waiting)
        Gauge("ponder_branches", "Slots for branches that are taken.", registry=registry).set_function(
            lambda: queue.capacity - queue.free
        )
        state = Gauge("ponder_breaker_state", "0 closed, 1 half-open, 2 open.", ["upstream"], registry=registry)
        alone = Gauge("ponder_breaker_keys", "Keys refused by themselves.", ["upstream"], registry=registry)
        for name, breaker in breakers.items():
            state.labels(name).set_function(partial(_state, breaker))
            alone.labels(name).set_function(partial(_alone, breaker))
        for name, what, size in (
            ("ponder_store_bytes", "Size of the run store, seen every five minutes.", lambda: store.bytes),
            ("ponder_store_free_bytes", "Free disk where the run store is a file.", lambda: store.free),
        ):
            Gauge(name, what, registry=registry).set_function(partial(_known, size))
        registry.register(_Failures(breakers))

    def observe(self, made: Record) -> None:
        """Count one request."""
        who = (made.key, made.strategy)
        self._child(self._requests, made.endpoint, *who, made.upstream, str(made.status)).inc()
        if made.code is not None:
            self._child(self._errors, made.key, made.code).inc()
        self._child(self._seconds, made.endpoint, made.strategy).observe(made.seconds)
        bill = made.bill
        if bill is None:
            return
        self._queued.observe(made.queued)
        kinds = {
            "prompt": bill.prompt_tokens,
            "cached": bill.cached_prompt_tokens,
            "output": bill.output_tokens,
            "thinking": bill.thinking_tokens,
            "probe": bill.probe_tokens,
            "verifier": bill.verifier_tokens,
            "discarded": bill.discarded_tokens,
            "estimated": bill.estimated_tokens,
        }
        for kind, tokens in kinds.items():
            if tokens:
                self._child(self._tokens, *who, kind).inc(tokens)
        if bill.usd:
            self._child(self._usd, *who).inc(bill.usd)

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The page that Prometheus reads, and its content type; `accept` is the header of the one who asks."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type


class _Failures(Collector):
    """What the breakers have counted."""

    def __init__(self, breakers: Mapping[str, Breaker]) -> None:
        self._breakers = breakers

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The one family; of as many labels as there are keys that have seen failures."""
        labels = ["upstream", "key", "kind"]
        family = CounterMetricFamily("ponder_upstream_failures", "Calls that failed at an upstream.", labels=labels)
        for name, breaker in self._breakers.items():
            for who, times in list(breaker.failed.items()):
                family.add_metric([name, *who], times)
        yield family


def _labelled(metric: T, *labels: str) -> T:
    child: T = metric.labels(*labels)
    return child


def _known(size: Callable[[], int | None]) -> float:
    found = size()
    return float("nan") if found is None else found


def _state(breaker: Breaker) -> float:
    return STATES[breaker.state]


def _alone(breaker: Breaker) -> float:
    return breaker.alone
