"""What is known of keys and of what they have spent, behind one interface: several gateways may share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ponder.gateway.settings import Limits

__all__ = ["Accounts", "Grant", "KeyRow", "Shortage", "Spent", "Want"]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is kept: a public `id`, its owner's `name`, the digest of its secret; times in seconds since 1970."""

    id: str
    name: str
    digest: bytes
    created: float
    revoked: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and dollars of a day, and for good; what is reserved for requests under way is in them."""

    tokens_today: int
    usd_today: float
    tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Want:
    """A reservation: as much as there is of `tokens` and `usd`, and not less than `least_tokens` and `least_usd`.

    `run` is the id of the run that it is for, None for a request that passes through; earlier lives of that run were
    booked with `booked_tokens` and `booked_usd`.
    """

    tokens: int
    least_tokens: int
    usd: float
    least_usd: float
    run: str | None = None
    booked_tokens: int = 0
    booked_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A reservation that was made. `ticket` names it."""

    ticket: str
    tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Shortage:
    """A reservation that does not fit: the `account` and the limit that stand in its way.

    `resets` is in how many seconds the limit begins anew, None if it never does. `held` says that it would fit if the
    requests under way cost nothing: soon there may be room.
    """

    account: str
    limit: str
    resets: float | None
    held: bool = False


class Accounts(Protocol):
    """Keys, rates and budgets. Every method is one transaction, so that processes which share it never overspend.

    Accounts are named; `now` is in seconds since 1970.

    Raises:
        StoreError: from every method, when what keeps them cannot be read or written.
    """

    async def add_key(self, row: KeyRow) -> None:
        """Enter a key.

        Raises:
            InvalidOption: a key of that name is in use.
        """
        ...

    async def revoke_key(self, name: str, now: float) -> None:
        """Take a key out of use, for good.

        Raises:
            InvalidOption: no key of that name is in use.
        """
        ...

    async def keys(self) -> list[KeyRow]:
        """All keys, the oldest first."""
        ...

    async def key(self, id: str) -> KeyRow | None:
        """The key with a public id."""
        ...

    async def take_turn(self, account: str, per_minute: int, now: float) -> float:
        """Count one request against a rate; 0, or if there is none left the seconds until there is."""
        ...

    async def reserve(self, holders: Sequence[tuple[str, Limits]], want: Want, now: float) -> Grant | Shortage:
        """Set an amount aside in several accounts at once, or in none of them."""
        ...

    async def settle(self, ticket: str, tokens: int, usd: float) -> None:
        """Give a reservation back and book what was really spent, also if the caller is cancelled meanwhile.

        A ticket counts once.
        """
        ...

    async def held_runs(self) -> list[str]:
        """The ids of the runs for which something is reserved: under way, or left by a process that died."""
        ...

    async def settle_run(self, run: str, tokens: int, usd: float) -> None:
        """Settle what is reserved for a run that nobody works on; it has cost `tokens` and `usd` in all its lives."""
        ...

    async def spent(self, account: str, now: float) -> Spent:
        """What an account has come to."""
        ...

    async def aclose(self) -> None:
        """Let go of what belongs to the event loop."""
        ...
