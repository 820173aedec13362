"""The gate that every request passes: it is let in with a permit, or refused before anything is allocated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ponder.core.backend import Price
from ponder.core.budget import Budget
from ponder.core.errors import PonderError
from ponder.core.ledger import Bill
from ponder.gateway.config import Caps, Config, Key

__all__ = ["Admission", "Ask", "Permit", "Refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request would do, as far as its cost depends on it.

    `strategy` is a spec; None is a request that passes through. `n` is how many choices it wants, each made in that
    way. `max_tokens` is the limit of one reply, None if the client sets none. `budget` is what the client allows, its
    deadline as `seconds` included. `price` is that of the upstream's model, None when nobody knows it.
    """

    upstream: str
    prompt_bytes: int
    strategy: str | None = None
    n: int = 1
    max_tokens: int | None = None
    budget: Budget = field(default_factory=Budget)
    price: Price | None = None


class Refused(PonderError):
    """A request that is not let in: the HTTP `status`, a `code` for programs, the seconds after which to try again."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


@dataclass(slots=True, kw_only=True)
class Permit:
    """Leave to carry out one request.

    `budget` is what the run is started with: what the client allows, or less. `max_tokens` is the limit of one reply,
    None when none need be imposed. `key` is None where no key is asked for.
    """

    key: Key | None
    caps: Caps
    budget: Budget
    max_tokens: int | None
    bill: Bill | None = None

    def settle(self, bill: Bill) -> None:
        """Say what the request has cost. The last word counts."""
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
        caps = self._config.caps
        if ask.prompt_bytes > caps.prompt_bytes:
            raise Refused(
                413,
                "prompt_too_large",
                f"the prompt has {ask.prompt_bytes:,} bytes; at most {caps.prompt_bytes:,} are allowed",
            )
        yield Permit(key=None, caps=caps, budget=ask.budget, max_tokens=ask.max_tokens)
