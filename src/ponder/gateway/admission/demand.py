"""What one request may take at most, and whether that is allowed: arithmetic, before anything is allocated."""

from __future__ import annotations

from typing import TypeVar

import msgspec

import ponder.api  # noqa: F401 - registers what a request can name
from ponder.core.bill import Bill, Price
from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.engine.live.call import ATTEMPTS
from ponder.engine.live.worst_cost import PART
from ponder.engine.methods import parse_spec
from ponder.gateway.admission.fanout import Fanout, fanout
from ponder.gateway.errors import Refused
from ponder.gateway.settings import Caps

__all__ = ["Ask", "Demand", "demand"]

T = TypeVar("T", int, float)

SMALLEST_REPLY = 16
"""Tokens under which a reply is not worth having, where the client does not say how long it may be."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request would do, as far as its cost depends on it.

    `strategy` is a spec, None for a request that passes through, and `verifier` what scores its branches. `n` is how
    many choices it wants, each made in that way. `max_tokens` is the limit of one reply, None if the client sets none.
    `budget` is what the client allows, its deadline as `seconds` included. `prompt_bytes` is the size of what the
    client sent, `images` the number of its parts that are no text. `price` is that of the upstream's model, None when
    nobody knows it. `run` is the id of the run that it begins or goes on with, and `booked` what earlier lives of that
    were booked with. `tried_for` is how many seconds another upstream was tried for before this one: the request has so
    much less time.
    """

    upstream: str
    prompt_bytes: int
    images: int = 0
    strategy: str | None = None
    verifier: str | None = None
    n: int = 1
    max_tokens: int | None = None
    budget: Budget = Budget()
    price: Price | None = None
    run: str | None = None
    booked: Bill | None = None
    tried_for: float = 0.0

    @property
    def read(self) -> int:
        """The most tokens that the model reads in one call: no tokenizer makes more of a text than it has bytes."""
        return self.prompt_bytes + 64 + self.images * PART


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is let in with, if that can be had.

    `alive` is how many branches it has at the same time. `tokens` and `usd` are the most that it takes, `least_tokens`
    and `least_usd` those without which it cannot begin; dollars are 0 where no price is known. `reply` is the limit of
    one reply, which may be lowered if `flexible`: the client has set none. `budget` is imposed on the run.
    """

    alive: int
    tokens: int
    least_tokens: int
    usd: float
    least_usd: float
    reply: int
    flexible: bool
    budget: Budget


def demand(ask: Ask, caps: Caps, longest_reply: int) -> Demand:
    """What `ask` comes to under `caps`; `longest_reply` is how long a reply may be if the client does not say.

    What a client asks for above a cap is refused. What it leaves open is limited: the run has the budget that the caps
    allow, and one that reaches it answers with the best it has.

    Raises:
        Refused: it is above a cap, or no sense can be made of it.
    """
    reply = longest_reply if ask.max_tokens is None else ask.max_tokens
    flexible = ask.strategy is None and ask.max_tokens is None
    smallest = _passed(ask, min(reply, SMALLEST_REPLY) if flexible else reply)
    _refuse_above(ask, caps, smallest.tokens)
    if ask.strategy is None:  # no budget can be imposed on what passes through
        _within("dollars", _dollars(ask, smallest), caps.usd)
    worst, known = _scaled(ask, ask.strategy, caps, reply) if ask.strategy else (_passed(ask, reply), True)
    _within("branches", worst.width, caps.n)
    _within("branches at the same time", worst.alive, caps.branches)
    _within("steps of one branch (its tokens divided by the interval)", worst.depth, caps.depth)
    budget = Budget(
        tokens=_least(ask.budget.tokens, caps.tokens, None if known else worst.tokens),
        usd=_least(ask.budget.usd, caps.usd),
        calls=_least(ask.budget.calls, worst.calls * ATTEMPTS if known else worst.calls),
        seconds=_least(ask.budget.seconds, caps.seconds),
    )
    tokens, usd = worst.tokens, _dollars(ask, worst)
    tokens = tokens if budget.tokens is None else min(tokens, budget.tokens)
    usd = usd if budget.usd is None else min(usd, budget.usd)
    return Demand(
        alive=worst.alive,
        tokens=tokens,
        least_tokens=min(tokens, smallest.tokens),
        usd=usd,
        least_usd=min(usd, _dollars(ask, smallest)),
        reply=reply,
        flexible=flexible,
        budget=budget,
    )


def _refuse_above(ask: Ask, caps: Caps, smallest: int) -> None:
    """What the client itself has named may not be above a cap."""
    _within("bytes of prompt", ask.prompt_bytes, caps.prompt_bytes, status=413, code="prompt_too_large")
    _within("choices", ask.n, caps.n)
    _within("tokens of budget", ask.budget.tokens, caps.tokens)
    _within("dollars of budget", ask.budget.usd, caps.usd)
    _within("seconds until the deadline", ask.budget.seconds, caps.seconds)
    _within("tokens of reply, over all choices", smallest, caps.tokens)
    if ask.price is None and (ask.budget.usd or caps.usd):
        raise Refused(400, "price_unknown", "a limit in dollars holds, and the price of this model is not known")


def _within(what: str, value: float | None, cap: float | None, status: int = 400, code: str = "cap_exceeded") -> None:
    if value is not None and cap is not None and value > cap:
        raise Refused(status, code, f"the request comes to {value:,} {what}; at most {cap:,} are allowed")


def _passed(ask: Ask, reply: int) -> Fanout:
    """One call, with all choices."""
    return Fanout(width=ask.n, alive=ask.n, depth=1, calls=1, tokens=ask.n * reply)


def _scaled(ask: Ask, strategy: str, caps: Caps, reply: int) -> tuple[Fanout, bool]:
    """The fan-out of a strategy; for one that has no known one, as much as the caps allow, to be imposed on it."""
    try:
        known = fanout(parse_spec(strategy), reply, ask.verifier)
    except UsageError as error:
        raise Refused(400, "invalid_request", str(error)) from error
    width = min(caps.n, caps.branches)
    return (
        (known.times(ask.n), True)
        if known is not None
        else (Fanout(width=width, alive=width, depth=1, calls=width, tokens=width * reply), False)
    )


def _dollars(ask: Ask, most: Fanout) -> float:
    if ask.price is None:
        return 0.0
    # After the first call of a branch the model reads what it has written so far, too.
    read = ask.read if most.calls <= most.width else ask.read + most.tokens // most.width
    return ask.price.cost(most.calls * read, 0, most.tokens)


def _least(*limits: T | None) -> T | None:
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None
