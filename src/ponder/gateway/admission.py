"""The gate that every request passes: it is let in with a permit, or refused before anything is allocated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ponder.core.budget import Budget
from ponder.core.ledger import Bill
from ponder.gateway.caps import Ask, Refused, demand
from ponder.gateway.config import Caps, Config, Key

__all__ = ["ANONYMOUS", "Admission", "Ask", "Permit", "Refused"]

ANONYMOUS = "anonymous"
"""Whose requests they are where no key is asked for."""


@dataclass(slots=True, kw_only=True)
class Permit:
    """Leave to carry out one request.

    `budget` is what the run is started with: what the client allows, or less; a request that passes through keeps at
    least its `seconds`. `max_tokens` is the limit of one reply, None when none need be imposed.
    """

    key: Key
    caps: Caps
    budget: Budget
    max_tokens: int | None
    bill: Bill | None = None

    def settle(self, bill: Bill) -> None:
        """Say what the request has cost so far. The last word counts."""
        self.bill = bill


class Admission:
    """Lets requests in, as the configuration says."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @asynccontextmanager
    async def admit(self, token: str | None, ask: Ask) -> AsyncIterator[Permit]:
        """Let a request in for the time of the context; `token` is the secret that it came with.

        Raises:
            Refused: it is not let in; nothing was allocated or sent.
        """
        key = self._config.key(ANONYMOUS)
        longest = self._config.defaults.max_tokens if ask.strategy else self._config.upstreams[ask.upstream].max_tokens
        asked = demand(ask, key.caps, longest)
        imposed = asked.tokens // ask.n < asked.reply
        reply = asked.tokens // ask.n if imposed else ask.max_tokens
        yield Permit(key=key, caps=key.caps, budget=asked.budget, max_tokens=reply if not ask.strategy else asked.reply)
