"""Which upstream serves a model, and the backend that calls it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from ponder.backends.openai import OpenAI
from ponder.backends.openai.address import VENDOR_URL, Address, Wire
from ponder.core.backend import Backend
from ponder.core.bill import Price
from ponder.core.errors import BackendError, near
from ponder.core.text.quoting import quoted
from ponder.engine.live.call import LONGEST_WAIT
from ponder.gateway.errors import NotFound
from ponder.gateway.settings import LOCAL, Config, Upstream
from ponder.gateway.upstreams.breaker import Breaker
from ponder.gateway.upstreams.metered import Metered
from ponder.gateway.upstreams.routes import Route

__all__ = ["Models", "Served"]

_BACKENDS_KEPT = 64

PATIENCE = 5.0
"""Seconds that an upstream has to say which models it has."""

_IDLE = 2 * LONGEST_WAIT
"""Seconds without a call after which no run is between two of them."""


class Served(msgspec.Struct, frozen=True):
    """A model at an upstream. `known` if the configuration names it: of others nothing is known but the name."""

    upstream: Upstream
    model: str
    known: bool


class Models:
    """The models of all upstreams, and the `breakers` of these.

    `embedded` holds the backends of those that run in this process, by upstream.
    """

    def __init__(self, config: Config, embedded: Mapping[str, Backend], breakers: Mapping[str, Breaker]) -> None:
        self._config = config
        self._breakers = breakers
        self._embedded = {name: Metered(backend, breakers[name]) for name, backend in embedded.items()}
        self._remote: OrderedDict[tuple[str, str, Wire], Metered] = OrderedDict()
        self._known: dict[str, Served] = {}
        self._open: list[Upstream] = []
        self._short: set[str] = set()
        remote = (upstream for upstream in config.upstreams.values() if not upstream.embedded)
        self._vendors = {upstream.name for upstream in remote if Address.of(upstream.url).url == VENDOR_URL}
        for upstream in config.upstreams.values():
            own = (upstream.url, upstream.url.removeprefix(LOCAL)) if upstream.embedded else ()
            names = upstream.models or own
            if not upstream.models:
                self._short |= set(own[1:]) - self._known.keys()
            for name in names:
                self._known.setdefault(name, Served(upstream, name, known=True))
            if not names:
                self._open.append(upstream)

    @property
    def names(self) -> list[str]:
        """The models that the configuration names."""
        return [name for name in self._known if name not in self._short]

    @property
    def takes_any(self) -> bool:
        """True if some upstream has no list of models: it may have one of any name."""
        return bool(self._open)

    def find(self, name: str) -> Served:
        """The upstream of a model; a name that nobody knows goes to the first upstream that has no list of models.

        Raises:
            NotFound: there is none; the text offers the nearest name.
        """
        if name in self._known:
            return self._known[name]
        if self._open:
            return Served(self._open[0], name, known=name in self._config.defaults.models)
        close = near(name, self.names)
        hint = f"did you mean {close!r}?" if close else f"there are {', '.join(self.names)}"
        raise NotFound(f"no model {quoted(name)}; {hint}")

    def at(self, route: Route) -> Served:
        """The model at the end of a route."""
        return Served(self._config.upstreams[route.upstream], route.model, known=True)

    def backend(self, served: Served, wire: Wire) -> Backend:
        """The backend for a model; those of a remote upstream are opened as they are asked for."""
        if served.upstream.embedded:
            return self._embedded[served.upstream.name]
        key = (served.upstream.name, served.model, wire)
        backend = self._remote.get(key)
        if backend is None:
            backend = self._remote[key] = Metered(
                _opened(served.upstream, served.model, wire), self._breakers[served.upstream.name]
            )
        self._remote.move_to_end(key)
        backend.used = time.monotonic()
        return backend

    async def trim(self) -> None:
        """Close backends of models that nobody has asked for in a long time: clients may name any number of them."""
        past = time.monotonic() - _IDLE
        idle = [key for key, backend in self._remote.items() if not backend.calls and backend.used < past]
        for backend in [self._remote.pop(key) for key in idle[:-_BACKENDS_KEPT]]:  # at once: others may trim meanwhile
            await backend.aclose()

    async def listed(self) -> list[str]:
        """The names of all models: the configured ones, and those that upstreams without a list say they have."""
        found = await asyncio.gather(*map(_models_of, self._open))
        return list(dict.fromkeys(itertools.chain(self.names, *found)))

    async def lists(self, name: str) -> bool:
        """Whether there is a model of this name, as far as the upstreams say."""
        return name in self._known or (self.takes_any and name in await self.listed())

    def price(self, served: Served) -> Price | None:
        """What the model costs, None if nobody knows."""
        if served.upstream.embedded:
            return self._embedded[served.upstream.name].price
        if served.upstream.price is not None or served.upstream.name not in self._vendors:
            return served.upstream.price
        from ponder.backends import prices

        return prices.look_up(served.model)

    async def aclose(self) -> None:
        """Close all backends."""
        for backend in (*self._remote.values(), *self._embedded.values()):
            await backend.aclose()


async def _models_of(upstream: Upstream) -> list[str]:
    """What it says it has; nothing if it does not say so soon."""
    backend = _opened(upstream, "?", "chat")
    try:
        async with asyncio.timeout(PATIENCE):
            return await backend.models()
    except (BackendError, TimeoutError):
        return []
    finally:
        await backend.aclose()


def _opened(upstream: Upstream, model: str, wire: Wire) -> OpenAI:
    return OpenAI(
        upstream.url,
        model,
        wire=wire,
        server=upstream.kind,
        capabilities=upstream.capabilities or None,
        api_key_env=upstream.key_env or "",
        concurrency=upstream.concurrency,
        timeout=upstream.timeout,
        price=upstream.price,
    )
