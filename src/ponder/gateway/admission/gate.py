"""The gate that every request passes: it is let in with a permit, or refused before anything is allocated."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace

import msgspec

from ponder.core.bill import Bill
from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption, PonderError, StoreError
from ponder.core.methods.specs import read_spec
from ponder.gateway.accounts.base import Accounts, Grant, Shortage, Want
from ponder.gateway.accounts.keys import ANONYMOUS, authenticate
from ponder.gateway.admission.demand import Ask, Demand, demand
from ponder.gateway.admission.fair_queue import FairQueue
from ponder.gateway.errors import Refused
from ponder.gateway.request_record import record
from ponder.gateway.settings import Caps, Config, Key, Limits

__all__ = ["TOTAL", "Admission", "Ask", "Permit", "Refused"]

TOTAL = "*"
"""The account of all keys together."""

_UNLIMITED = Limits()

SOON = 2.0
"""Seconds after which a request may fit a budget that others hold a part of."""

_log = logging.getLogger("ponder.gateway")


class Permit(msgspec.Struct, kw_only=True):
    """Leave to carry out one request.

    `budget` is what the run is started with: what the client allows, or less; a request that passes through keeps at
    least its `seconds`. `max_tokens` is the limit of one reply, None when none need be imposed. With `counts` it is
    booked on an account that is limited, or costs dollars.
    """

    key: Key
    caps: Caps
    budget: Budget
    max_tokens: int | None
    counts: bool = False
    bill: Bill | None = None

    def settle(self, bill: Bill) -> None:
        """Say what the request has cost so far. The last word counts, and is booked when the request ends."""
        self.bill = bill


class Admission:
    """Lets requests in, as the configuration says; lives in one event loop.

    `accounts` knows the keys and what they have spent.

    Raises:
        InvalidOption: there are no accounts, but the configuration has keys or limits.
    """

    def __init__(self, config: Config, accounts: Accounts | None = None) -> None:
        if accounts is None and (config.keys or config.limits != _UNLIMITED or config.total != _UNLIMITED):
            raise InvalidOption("keys and limits need a store")
        self.queue = FairQueue(config.branches, config.queue, config.queue_seconds)
        self._config = config
        self._accounts = accounts
        self._open = not config.keys and _is_loopback(config.host)
        self._keyless = True
        self._looked = -1.0

    async def identify(self, token: str | None) -> Key:
        """What holds for whoever shows `token`.

        Without any key, on loopback and with none in the configuration, everybody is `ANONYMOUS`.

        Raises:
            Refused: it is no key, or one that was revoked.
        """
        name = await authenticate(token, self._accounts) if token and self._accounts is not None else None
        if name is None and not await self.asks_for_a_key():
            name = ANONYMOUS
        if name is not None:
            record().key = name
            return self._config.key(name)
        if token is None:
            raise Refused(401, "missing_api_key", "this gateway asks for an API key: Authorization: Bearer pk-...")
        raise Refused(401, "invalid_api_key", "the API key is unknown, or was revoked")

    async def asks_for_a_key(self) -> bool:
        """False while everybody is let in."""
        return not (self._open and await self._nobody_has_a_key())

    async def _nobody_has_a_key(self) -> bool:
        """Whether no key was ever made; looked up once a second, not for each request."""
        if self._accounts is not None and self._keyless and time.monotonic() - self._looked >= 1:
            self._keyless, self._looked = not await self._accounts.keys(), time.monotonic()
        return self._keyless

    async def take_turn(self, key: Key) -> None:
        """Count a request of this key, whatever becomes of it.

        Raises:
            Refused: it is one too many in this minute.
            StoreError: the accounts cannot be read or written.
        """
        for account, limits in ((key.name, key.limits), (TOTAL, self._config.total)):
            if limits.requests_per_minute is not None and self._accounts is not None:
                wait = await self._accounts.take_turn(account, limits.requests_per_minute, time.time())
                if wait > 0:
                    whose = "all keys together" if account == TOTAL else f"key {key.name}"
                    raise Refused(
                        429, "rate_limited", f"{whose}: {limits.requests_per_minute} requests a minute at most", wait
                    )

    @asynccontextmanager
    async def admit(
        self, who: Key | str | None, ask: Ask, claim: AbstractContextManager[None] | None = None
    ) -> AsyncIterator[Permit]:
        """Let a request in for the time of the context; `who` is the secret that it came with, or its `identify`.

        `claim` is entered before anything is reserved, and left when that is settled: what is reserved for a run that
        nobody claims was left by a process that died.

        When the context ends, the permit's bill is booked. Without one it is that of the error that ended the context,
        or else all that was reserved: nobody knows better.

        Raises:
            Refused: it is not let in; nothing was allocated or sent.
            StoreError: the accounts cannot be read or written.
        """
        made, began = record(), time.monotonic()
        made.upstream = ask.upstream
        key = who if isinstance(who, Key) else await self.identify(who)
        upstream = self._config.upstreams[ask.upstream]
        asked = demand(ask, key.caps, self._config.defaults.max_tokens if ask.strategy else upstream.max_tokens)
        made.strategy = read_spec("strategy", ask.strategy).name if ask.strategy else ""
        slots = min(asked.alive, upstream.concurrency)
        async with self.queue.slots(key.name, slots, _left(ask, asked)):
            with claim or nullcontext():
                made.queued = time.monotonic() - began
                grant = await self._reserve(key, ask, asked)
                permit = _permit(key, ask, asked, grant, self._config.total)
                try:
                    yield permit
                except PonderError as error:
                    permit.bill = permit.bill or error.bill or Bill()
                    raise
                finally:
                    if permit.bill is not None:
                        made.book(permit.bill)
                    if grant is not None:
                        bill = permit.bill or Bill(output_tokens=grant.tokens, usd=grant.usd)
                        await self.settle(grant.ticket, bill)

    async def settle(self, ticket: str, bill: Bill) -> None:
        """Book what a request has cost; a ticket that is settled already is left alone."""
        if self._accounts is None:
            return
        try:
            await self._accounts.settle(ticket, bill.total_tokens, bill.usd or 0.0)
        except StoreError as error:  # the answer is there; what was reserved for it stays reserved
            _log.error("cannot book a request: %s", error)

    async def held_runs(self) -> list[str]:
        """The ids of the runs for which something is reserved."""
        return [] if self._accounts is None else await self._accounts.held_runs()

    async def settle_run(self, run: str, bill: Bill) -> None:
        """Book what a run has cost that nobody works on; `bill` is that of all its lives."""
        if self._accounts is not None:
            await self._accounts.settle_run(run, bill.total_tokens, bill.usd or 0.0)

    def close(self) -> None:
        """Let nobody in any more; requests that wait for their turn are refused."""
        self.queue.close()

    async def _reserve(self, key: Key, ask: Ask, asked: Demand) -> Grant | None:
        holders = [(key.name, key.limits), (TOTAL, self._config.total)]
        # What nobody limits and nobody asks about need not be counted.
        holders = [(name, limits) for name, limits in holders if name not in (ANONYMOUS, TOTAL) or limits != _UNLIMITED]
        if not holders or self._accounts is None:
            return None
        if ask.price is None and any(limits.usd or limits.usd_per_day for _, limits in holders):
            raise Refused(400, "price_unknown", "a limit in dollars holds, and the price of this model is not known")
        booked = ask.booked or Bill()
        want = Want(
            asked.tokens, asked.least_tokens, asked.usd, asked.least_usd, run=ask.run,
            booked_tokens=booked.total_tokens, booked_usd=booked.usd or 0.0,
        )  # fmt: skip
        made = await self._accounts.reserve(holders, want, time.time())
        if isinstance(made, Shortage):
            raise _spent(made)
        return made


def _left(ask: Ask, asked: Demand) -> float | None:
    """The seconds that the request may wait for its turn, None for any."""
    seconds = asked.budget.seconds
    return None if seconds is None else max(0.0, seconds - ask.tried_for)


def _permit(key: Key, ask: Ask, asked: Demand, grant: Grant | None, total: Limits) -> Permit:
    """The permit, within what was granted."""
    budget, reply = asked.budget, asked.reply
    if grant is not None:
        limits = (key.limits, total)
        if any(one.tokens or one.tokens_per_day for one in limits):
            budget = replace(budget, tokens=grant.tokens)
        if grant.usd > 0 and any(one.usd or one.usd_per_day for one in limits):
            budget = replace(budget, usd=grant.usd)
    if asked.flexible:
        reply = min(reply, _affordable(ask, asked, grant) // ask.n)
    return Permit(
        key=key,
        caps=key.caps,
        budget=budget,
        max_tokens=None if asked.flexible and reply == asked.reply else reply,
        counts=grant is not None or ask.price is not None,
    )


def _affordable(ask: Ask, asked: Demand, grant: Grant | None) -> int:
    """How many tokens all choices of a request that passes through may have."""
    tokens, usd = (asked.tokens, asked.usd) if grant is None else (grant.tokens, grant.usd)
    if ask.price is None or ask.price.output == 0:
        return tokens
    return min(tokens, round((usd - ask.price.cost(ask.read, 0, 0)) * 1e6 / ask.price.output))


def _spent(shortage: Shortage) -> Refused:
    whose = "all keys together" if shortage.account == TOTAL else f"key {shortage.account}"
    what = f"{whose}: what is left of {shortage.limit} does not cover this request"
    if shortage.held:
        return Refused(429, "quota_reserved", f"{what} while others are under way; try again soon", SOON)
    again = "" if shortage.resets is None else "; it begins anew at midnight UTC"
    return Refused(429, "insufficient_quota", f"{what}{again}", shortage.resets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
