"""Which upstream a request goes to, now that some of them may be down."""

from __future__ import annotations

import msgspec

from ponder.core.errors import BackendError
from ponder.gateway.errors import BreakerOpen
from ponder.gateway.settings import SINGLE, Config
from ponder.gateway.upstreams.breaker import Breaker

__all__ = ["Route", "Routes"]


class Route(msgspec.Struct, frozen=True):
    """Where a request goes. With `single` it is one pass, whatever was asked for.

    `model` is the name there. `tried` are the upstreams before it, and `header` says so to the client; None for a
    request that goes where it was to go.
    """

    upstream: str
    model: str
    single: bool = False
    tried: tuple[str, ...] = ()

    @property
    def header(self) -> str | None:
        """The value of ``x-ponder-fallback``: ``"spare"`` or ``"single"``, and what it stands in for."""
        if not self.tried:
            return None
        return f"{SINGLE if self.single else self.upstream}; instead-of={self.tried[0]}"


class Routes:
    """The breakers of all upstreams, and their declared fallbacks."""

    def __init__(self, config: Config) -> None:
        self.breakers = {name: Breaker(name) for name in config.upstreams}
        self._config = config

    def first(self, upstream: str, model: str, key: str) -> Route:
        """The way that a request of a `key` goes: to `upstream`, or while that is left alone to its fallback.

        Raises:
            BreakerOpen: it is left alone, and so are those that might stand in for it.
        """
        route = Route(upstream, model)
        while (down := self.breakers[route.upstream].refusal(key)) is not None:
            route = self.instead(route, down)
        return route

    def instead(self, route: Route, error: BackendError) -> Route:
        """The way that is left after `route` has failed with `error`.

        A fallback that does not serve the model answers with the first of its own.

        Raises:
            BackendError: `error`; there is none, or it would make no difference.
        """
        fallback = self._config.upstreams[route.upstream].fallback
        down = isinstance(error, BreakerOpen)
        tried = (*route.tried, route.upstream)
        if fallback is None or fallback in tried or route.single or not (error.retryable or down):
            raise error
        if fallback != SINGLE:
            models = self._config.upstreams[fallback].models
            return Route(fallback, route.model if route.model in models or not models else models[0], tried=tried)
        if down:
            raise error
        return Route(route.upstream, route.model, single=True, tried=tried)
