"""What a run has cost, and what a token costs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

__all__ = ["MAIN", "Bill", "ModelBill", "Price"]

MAIN = "main"
"""The role of the model that a run cannot do without."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens, and where the figures come from."""

    prompt: float
    cached_prompt: float
    output: float
    source: str

    def cost(self, prompt_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """Dollars for one call; `prompt_tokens` includes `cached_tokens`."""
        fresh = prompt_tokens - cached_tokens
        return (fresh * self.prompt + cached_tokens * self.cached_prompt + output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBill:
    """What one model of a run cost.

    `output_tokens` are all that it generated; `usd` is None if its price is unknown.
    """

    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a run cost.

    Generated tokens fall under exactly one of `output_tokens`, `probe_tokens` and `verifier_tokens`; their sum is
    `total_tokens`. `by_purpose` has them by what they were for (`ponder.core.ledger.PURPOSES`), `by_model` by the role
    of the model in the run. `thinking_tokens` and `discarded_tokens` are parts of `output_tokens`;
    `cached_prompt_tokens` is a part of `prompt_tokens`. `sequential_tokens` is the longest chain of
    generated tokens in which each had to wait for the one before: the latency axis. `usd` is None when the model's
    price is not known. `estimated_tokens` are those of prompts and output that were estimated, because the server did
    not count them, or said what cannot be. `lost_calls` were in flight when the process died: what they cost is not
    known here.
    """

    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    probe_tokens: int = 0
    verifier_tokens: int = 0
    discarded_tokens: int = 0
    estimated_tokens: int = 0
    sequential_tokens: int = 0
    calls: int = 0
    retries: int = 0
    failed_calls: int = 0
    lost_calls: int = 0
    usd: float | None = None
    price: Price | None = None
    seconds: float = 0.0
    by_purpose: Mapping[str, int] = field(default_factory=dict)
    by_model: Mapping[str, ModelBill] = field(default_factory=dict)

    @property
    def total_tokens(self) -> int:
        """All generated tokens: the money axis."""
        return self.output_tokens + self.probe_tokens + self.verifier_tokens

    def __add__(self, other: Bill) -> Bill:
        """Two runs one after the other."""
        return self._combined(other, operator.add)

    def __sub__(self, earlier: Bill) -> Bill:
        """What came on top of an earlier bill of the same run."""
        return self._combined(earlier, operator.sub)

    def _combined(self, other: Bill, combine: Callable[[Any, Any], Any]) -> Bill:
        counts = {name: combine(getattr(self, name), getattr(other, name)) for name in _COUNTS}
        names = dict.fromkeys((*self.by_purpose, *other.by_purpose))
        purposes = {name: combine(self.by_purpose.get(name, 0), other.by_purpose.get(name, 0)) for name in names}
        roles = dict.fromkeys((*self.by_model, *other.by_model))
        models = {role: _each(_part(self, role), _part(other, role), combine) for role in roles}
        usd = None if self.usd is None or other.usd is None else combine(self.usd, other.usd)
        return Bill(**counts, usd=usd, price=self.price, by_purpose=purposes, by_model=models)

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
        values["by_model"] = {role: ModelBill(**part) for role, part in values.get("by_model", {}).items()}
        return cls(**values)


_COUNTS = tuple(one.name for one in fields(Bill) if one.name not in ("usd", "price", "by_purpose", "by_model"))


def _part(bill: Bill, role: str) -> ModelBill:
    return bill.by_model.get(role, ModelBill(usd=0.0))


def _each(one: ModelBill, other: ModelBill, combine: Callable[[Any, Any], Any]) -> ModelBill:
    known = one.usd is not None and other.usd is not None
    counts = ("prompt_tokens", "cached_prompt_tokens", "output_tokens", "calls")
    values = {name: combine(getattr(one, name), getattr(other, name)) for name in counts}
    return ModelBill(**values, usd=combine(one.usd, other.usd) if known else None)
