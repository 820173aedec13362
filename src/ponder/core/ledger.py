"""What a run costs: one reducer, the same live, in replay and after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ponder.core.backend import Price
from ponder.core.budget import Amount

__all__ = ["Bill", "Charge", "Purpose", "book"]

Purpose = Literal["branch", "chat", "probe", "verifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One entry of the ledger: what one call, or the cut of one branch, adds to the bill.

    All counts are tokens. `output` includes `thinking`; `discarded` is the part of all output so far that no answer
    will use (failed attempts, branches that were cut).
    """

    purpose: Purpose = "branch"
    prompt: int = 0
    cached: int = 0
    output: int = 0
    thinking: int = 0
    discarded: int = 0
    calls: int = 0
    retries: int = 0
    failures: int = 0

    def __add__(self, other: Charge) -> Charge:
        return Charge(
            purpose=self.purpose,
            prompt=self.prompt + other.prompt,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            thinking=self.thinking + other.thinking,
            discarded=self.discarded + other.discarded,
            calls=self.calls + other.calls,
            retries=self.retries + other.retries,
            failures=self.failures + other.failures,
        )

    def amount(self, price: Price | None) -> Amount:
        """The same as budgets count it."""
        usd = price.cost(self.prompt, self.cached, self.output) if price else 0.0
        return Amount(tokens=self.output, calls=self.calls, usd=usd)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without the zeros."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a run cost.

    Generated tokens fall under exactly one of `output_tokens` (branches and chats), `probe_tokens` and
    `verifier_tokens`; their sum is `total_tokens`. `thinking_tokens` and `discarded_tokens` are parts of
    `output_tokens`; `cached_prompt_tokens` is a part of `prompt_tokens`. `sequential_tokens` is the longest chain of
    generated tokens in which each had to wait for the one before: the latency axis. `usd` is None when the model's
    price is not known. `lost_calls` were in flight when the process died: what they cost is not known here.
    """

    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    probe_tokens: int = 0
    verifier_tokens: int = 0
    discarded_tokens: int = 0
    sequential_tokens: int = 0
    calls: int = 0
    retries: int = 0
    failed_calls: int = 0
    lost_calls: int = 0
    usd: float | None = None
    price: Price | None = None
    seconds: float = 0.0

    @property
    def total_tokens(self) -> int:
        """All generated tokens: the money axis."""
        return self.output_tokens + self.probe_tokens + self.verifier_tokens

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `price` becomes a mapping, an unknown price the word ``"unknown"``."""
        data = asdict(self)
        data["usd"] = "unknown" if self.usd is None else self.usd
        return {"total_tokens": self.total_tokens, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bill:
        """The inverse of `as_dict`."""
        values = {name: value for name, value in data.items() if name != "total_tokens"}
        values["usd"] = None if values.get("usd") == "unknown" else values.get("usd")
        values["price"] = Price(**values["price"]) if values.get("price") else None
        return cls(**values)


def book(bill: Bill, charge: Charge) -> Bill:
    """The bill after one more charge."""
    purpose, price = charge.purpose, bill.price
    # Spelled out, because `dataclasses.replace` takes four times as long and every call passes here.
    booked = Bill(
        prompt_tokens=bill.prompt_tokens + charge.prompt,
        cached_prompt_tokens=bill.cached_prompt_tokens + charge.cached,
        output_tokens=bill.output_tokens + (charge.output if purpose in ("branch", "chat") else 0),
        thinking_tokens=bill.thinking_tokens + charge.thinking,
        probe_tokens=bill.probe_tokens + (charge.output if purpose == "probe" else 0),
        verifier_tokens=bill.verifier_tokens + (charge.output if purpose == "verifier" else 0),
        discarded_tokens=bill.discarded_tokens + charge.discarded,
        sequential_tokens=bill.sequential_tokens,
        calls=bill.calls + charge.calls,
        retries=bill.retries + charge.retries,
        failed_calls=bill.failed_calls + charge.failures,
        lost_calls=bill.lost_calls,
        usd=bill.usd,
        price=price,
        seconds=bill.seconds,
    )
    if price is None:
        return booked
    # From the totals: a sum of dollars would depend on the order of the charges, and a resumed run has another order.
    usd = price.cost(booked.prompt_tokens, booked.cached_prompt_tokens, booked.total_tokens)
    return replace(booked, usd=usd)
