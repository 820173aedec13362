"""What a run costs: one reducer, the same live, in replay and after a crash."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ponder.core.bill import Bill, Price
from ponder.core.budget import Amount

__all__ = ["Charge", "Ledger", "Purpose"]

Purpose = Literal["branch", "chat", "probe", "verifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One entry of the ledger: what one call, or the cut of one branch, adds to the bill.

    All counts are tokens. `output` includes `thinking`; `discarded` is the part of all output so far that no answer
    will use (failed attempts, branches that were cut), `estimated` the part of prompt and output that nobody counted.
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
    estimated: int = 0

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
            estimated=self.estimated + other.estimated,
        )

    def amount(self, price: Price | None) -> Amount:
        """The same as budgets count it."""
        usd = price.cost(self.prompt, self.cached, self.output) if price else 0.0
        return Amount(tokens=self.output, calls=self.calls, usd=usd)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without the zeros."""
        # Not by `asdict`, which copies every value and takes ten times as long: every call passes here.
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}


class Ledger:
    """Adds up the charges of a run.

    Whoever knows of them sets `sequential_tokens` and `lost_calls`.
    """

    def __init__(self, price: Price | None = None) -> None:
        self.sequential_tokens = 0
        self.lost_calls = 0
        self._price = price
        self._generated: dict[Purpose, int] = dict.fromkeys(get_args(Purpose), 0)
        self._prompt = self._cached = self._thinking = self._discarded = self._estimated = 0
        self._calls = self._retries = self._failures = 0

    def book(self, charge: Charge) -> None:
        """Add one more charge."""
        self._generated[charge.purpose] += charge.output
        self._prompt += charge.prompt
        self._cached += charge.cached
        self._thinking += charge.thinking
        self._discarded += charge.discarded
        self._estimated += charge.estimated
        self._calls += charge.calls
        self._retries += charge.retries
        self._failures += charge.failures

    @property
    def bill(self) -> Bill:
        """What the charges so far come to."""
        generated, price = self._generated, self._price
        # From the totals: a sum of dollars would depend on the charges' order, and a resumed run has another order.
        usd = None if price is None else price.cost(self._prompt, self._cached, sum(generated.values()))
        return Bill(
            prompt_tokens=self._prompt,
            cached_prompt_tokens=self._cached,
            output_tokens=generated["branch"] + generated["chat"],
            thinking_tokens=self._thinking,
            probe_tokens=generated["probe"],
            verifier_tokens=generated["verifier"],
            discarded_tokens=self._discarded,
            estimated_tokens=self._estimated,
            sequential_tokens=self.sequential_tokens,
            calls=self._calls,
            retries=self._retries,
            failed_calls=self._failures,
            lost_calls=self.lost_calls,
            usd=usd,
            price=price,
        )
