"""What a run costs: one reducer, the same live, in replay and after a crash."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from operator import add, attrgetter
from types import MappingProxyType
from typing import Any

from ponder.core.bill import MAIN, Bill, ModelBill, Price
from ponder.core.budget import Amount
from ponder.core.errors import InvalidOption

__all__ = ["PURPOSES", "Charge", "Ledger", "check_purpose"]

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "branch": "samples, and what they grow to",
        "chat": "free calls of a strategy",
        "judge": "comparing and grading replies",
        "synthesis": "writing one reply from several",
        "probe": "what a branch would answer now",
        "verifier": "scoring branches",
        "tool": "tools that a branch has called",
    }
)
"""What tokens are generated for. A strategy may have purposes of its own: short names in lower case."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def check_purpose(name: str) -> str:
    """The name of a purpose.

    Raises:
        InvalidOption: it cannot be one.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(f"purpose={name!r:.60}: a purpose is a short name in lower case, as {', '.join(PURPOSES)}")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One entry of the ledger: what one call, or the cut of one branch, adds to the bill.

    `model` is the role of the model that was called. All counts are tokens. `output` includes `thinking`; `discarded`
    is the part of all output so far that no answer will use (failed attempts, branches that were cut), `estimated` the
    part of prompt and output that nobody counted.
    """

    purpose: str = "branch"
    model: str = MAIN
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
        return _charge(self.purpose, self.model, map(add, _counts(self), _counts(other)))

    def amount(self, price: Price | None) -> Amount:
        """The same as budgets count it; `price` is that of its model."""
        usd = price.cost(self.prompt, self.cached, self.output) if price else 0.0
        return Amount(tokens=self.output, calls=self.calls, usd=usd)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without the zeros, and without the model if it is the main one."""
        # Not by `asdict`, which copies every value and takes ten times as long: every call passes here.
        data: dict[str, Any] = {"purpose": self.purpose}
        if self.model != MAIN:
            data["model"] = self.model
        return data | {name: value for name in _COUNTS if (value := getattr(self, name))}


_COUNTS = tuple(field.name for field in fields(Charge) if field.name not in ("purpose", "model"))

_counts: Callable[[Charge], tuple[int, ...]] = attrgetter(*_COUNTS)


def _charge(purpose: str, model: str, counts: Iterable[int]) -> Charge:
    return Charge(purpose=purpose, model=model, **dict(zip(_COUNTS, counts, strict=True)))


class Ledger:
    """Adds up the charges of a run. `prices` has those of its models by their roles, None where nobody knows it.

    Whoever knows of them sets `sequential_tokens` and `lost_calls`.
    """

    def __init__(self, prices: Mapping[str, Price | None] | None = None) -> None:
        self.sequential_tokens = 0
        self.lost_calls = 0
        self._prices = prices or {}
        self._sums: dict[tuple[str, str], Iterable[int]] = {}

    def book(self, charge: Charge) -> None:
        """Add one more charge."""
        key = charge.purpose, charge.model
        earlier = self._sums.get(key)
        self._sums[key] = _counts(charge) if earlier is None else tuple(map(add, earlier, _counts(charge)))

    @property
    def bill(self) -> Bill:
        """What the charges so far come to."""
        total = Charge()
        purposes: dict[str, int] = {}
        models: dict[str, Charge] = {}
        for (purpose, model), counts in self._sums.items():
            charge = _charge(purpose, model, counts)
            total += charge
            if charge.output:
                purposes[purpose] = purposes.get(purpose, 0) + charge.output
            if charge.calls or charge.output:
                models[model] = models.get(model, Charge()) + charge
        # From the totals: a sum of dollars would depend on the charges' order, and a resumed run has another order.
        parts = {model: self._part(model, models[model]) for model in sorted(models)}
        dollars = [part.usd for part in parts.values()]
        price = self._prices.get(MAIN)
        probes, verifiers = purposes.get("probe", 0), purposes.get("verifier", 0)
        return Bill(
            prompt_tokens=total.prompt,
            cached_prompt_tokens=total.cached,
            output_tokens=total.output - probes - verifiers,
            thinking_tokens=total.thinking,
            probe_tokens=probes,
            verifier_tokens=verifiers,
            discarded_tokens=total.discarded,
            estimated_tokens=total.estimated,
            sequential_tokens=self.sequential_tokens,
            calls=total.calls,
            retries=total.retries,
            failed_calls=total.failures,
            lost_calls=self.lost_calls,
            usd=_total(dollars) if dollars else (None if price is None else 0.0),
            price=price,
            by_purpose=dict(sorted(purposes.items())),
            by_model=parts,
        )

    def _part(self, model: str, charge: Charge) -> ModelBill:
        price = self._prices.get(model)
        return ModelBill(
            prompt_tokens=charge.prompt,
            cached_prompt_tokens=charge.cached,
            output_tokens=charge.output,
            calls=charge.calls,
            usd=None if price is None else price.cost(charge.prompt, charge.cached, charge.output),
        )


def _total(dollars: list[float | None]) -> float | None:
    known = [usd for usd in dollars if usd is not None]
    return sum(known) if len(known) == len(dollars) else None
