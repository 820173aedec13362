"""What the operator decides: plain data, with the bounds that each value must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ponder.backends import DEFAULT_MODEL
from ponder.core.bill import Price
from ponder.core.methods.options import Between
from ponder.store.postgres.url import PostgresUrl

__all__ = ["LOCAL", "SINGLE", "Caps", "Config", "Defaults", "Kept", "Key", "Limits", "Upstream"]

LOCAL = "local/"
"""How the address of an upstream begins that runs in this process."""

SINGLE = "single"
"""As the fallback of an upstream: one pass instead of many."""

Many = Annotated[int, Between(1, 4096)]
Tokens = Annotated[int, Between(1, 10**12)]
Dollars = Annotated[float, Between(1e-9, 1e9)]
Seconds = Annotated[float, Between(0.001, 86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A model server, or a model in this process.

    `url` is ``http://host:port/v1``, or ``local/NAME``. `key_env` names the environment variable that holds its key.
    `models` are the names that it serves; empty: every name that no other upstream has. `max_tokens` is the longest
    reply of its models: what a reply is taken for when a client sets no limit. `timeout` is how long it may be silent.
    `kind` is the kind of server, where it does not say itself; `capabilities` are what it can do: all of it, or with
    signs (``"+seed"``, ``"-n"``) what differs from its kind.
    `request_headers` are the names, in lower case, of a client's headers that go on to it, `response_headers` those of
    its own that go on to the client, besides the usual ones.
    `fallback` is the name of another upstream that takes over, or `SINGLE`: one pass instead of many.
    """

    name: str
    url: str
    key_env: str | None = None
    models: tuple[str, ...] = ()
    concurrency: Many = 16
    max_tokens: Annotated[int, Between(1, 10_000_000)] = 32_768
    kind: str | None = None
    capabilities: tuple[str, ...] = ()
    price: Price | None = None
    timeout: Seconds = 600.0
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
    fallback: str | None = None

    @property
    def embedded(self) -> bool:
        """True if it runs in this process."""
        return self.url.startswith(LOCAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What one request may ask for; None is no cap.

    `n` counts branches over the whole request, `depth` the steps in which one branch is continued, `branches` those
    that run at the same time. `tokens` and `usd` bound the worst case. `seconds` is the longest deadline, and that of
    a request without one. `prompt_bytes` is the size of all messages.
    """

    n: Many = 64
    depth: Annotated[int, Between(1, 1_000_000)] = 256
    tokens: Tokens | None = None
    usd: Dollars | None = None
    seconds: Seconds = 600.0
    branches: Many = 64
    prompt_bytes: Annotated[int, Between(1, 10**9)] = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be spent over time; None is no limit. A day is one of UTC; `tokens` and `usd` are for good."""

    requests_per_minute: Annotated[int, Between(1, 10_000_000)] | None = None
    tokens_per_day: Tokens | None = None
    usd_per_day: Dollars | None = None
    tokens: Tokens | None = None
    usd: Dollars | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What holds for one API key; `strategy` is its default."""

    name: str
    caps: Caps = field(default_factory=Caps)
    limits: Limits = field(default_factory=Limits)
    strategy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a request gets that does not say; `models` maps a model to the strategy it has instead of `strategy`."""

    strategy: str = "adaptive-consistency@0.5"
    max_tokens: Annotated[int, Between(1, 1_000_000)] = 1024
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much of the past is kept; the oldest runs go. Zero is no limit."""

    days: Annotated[float, Between(0, 36_500)] = 30.0
    runs: Annotated[int, Between(0, 10**12)] = 0
    gigabytes: Annotated[float, Between(0, 1e6)] = 10.0


def _embedded() -> dict[str, Upstream]:
    return {"local": Upstream(name="local", url=DEFAULT_MODEL)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration; without anything, the embedded model on loopback.

    `caps` and `limits` hold for every key that has none of its own in `keys`, and where no key is asked for; `total`
    is for all keys together. `kept` is how much of the past stays in the store. `branches` is how many branches run at
    the same time over all requests, `queue` how many requests wait for their turn, for at most `queue_seconds`.
    `store` is a file or a database; None is that of `ponder runs`. Pages of `origins` may read the answers in a
    browser. `strategies` are the operator's own: Python files, or ``MODULE:NAME``; they are registered as the
    configuration is read.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Between(0, 65_535)] = 8080
    store: Path | PostgresUrl | None = None
    origins: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    branches: Many = 256
    queue: Annotated[int, Between(0, 100_000)] = 256
    queue_seconds: Seconds = 30.0
    upstreams: Mapping[str, Upstream] = field(default_factory=_embedded)
    defaults: Defaults = field(default_factory=Defaults)
    caps: Caps = field(default_factory=Caps)
    limits: Limits = field(default_factory=Limits)
    total: Limits = field(default_factory=Limits)
    kept: Kept = field(default_factory=Kept)
    keys: Mapping[str, Key] = field(default_factory=dict)

    def key(self, name: str) -> Key:
        """What holds for the key `name`."""
        return self.keys.get(name) or Key(name=name, caps=self.caps, limits=self.limits)
