"""Limits that hold: reserve before a call, settle after it.

An `Account` never lets the sum of what is spent and what is reserved pass its budget, nor that of any account above
it. Only a settlement may exceed its reservation (a provider that streams on after a cancel), and that is booked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from ponder.core.errors import BudgetExhausted, InvalidOption

__all__ = ["Account", "Amount", "Budget"]

_SUFFIX = {"": 1, "k": 1_000, "m": 1_000_000}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?:e([+-]?\d{1,2}))?([km]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a run; None is no limit.

    `tokens` counts every generated token (branches, chats, probes, verifiers), `usd` dollars, `calls` calls made
    (retries included), `seconds` wall time since the run began.
    """

    tokens: int | None = None
    usd: float | None = None
    calls: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.limits():
            if not value > 0:
                raise InvalidOption(f"budget {name}={value} must be greater than 0")

    def limits(self) -> Iterator[tuple[str, float]]:
        """The limits that are set, by name."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                yield field.name, value

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``"tokens=20k,seconds=30,usd=0.05,calls=100"``.

        Raises:
            InvalidOption: an unknown name, a unit that is none, a number that is none.
        """
        names = [field.name for field in fields(cls)]
        values: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, number = (piece.strip() for piece in part.partition("="))
            if name not in names or not equals:
                raise InvalidOption(f"budget {part!r} is not one of {', '.join(f'{name}=NUMBER' for name in names)}")
            match = _NUMBER.fullmatch(number)
            if match is None:
                raise InvalidOption(f"budget {part!r}: {number!r} is not a number like 500, 20k or 0.05")
            if name in values:
                raise InvalidOption(f"budget names {name} twice")
            digits, exponent, suffix = match.groups()
            values[name] = float(f"{digits}e{exponent or 0}") * _SUFFIX[suffix.lower()]
        if not values:
            raise InvalidOption(f"budget {text!r} is empty; write for example tokens=20k,seconds=30,usd=0.05")
        return cls(
            tokens=_whole("tokens", values), usd=values.get("usd"), calls=_whole("calls", values),
            seconds=values.get("seconds"),
        )  # fmt: skip


def _whole(name: str, values: dict[str, float]) -> int | None:
    value = values.get(name)
    if value is not None and value != int(value):
        raise InvalidOption(f"budget {name}={value:g} must be a whole number")
    return None if value is None else int(value)


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call may cost, or did cost."""

    tokens: int = 0
    calls: int = 0
    usd: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.calls + other.calls, self.usd + other.usd)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.calls - other.calls, self.usd - other.usd)


class Account:
    """Spending under one budget, inside the account of the budget around it.

    Not thread-safe and never waits: one event loop, or one simulation, owns it.
    """

    def __init__(self, budget: Budget, parent: Account | None = None) -> None:
        self.budget = budget
        self.parent = parent
        self.spent = Amount()
        self.reserved = Amount()
        self.bounded: bool = any(True for _ in self._limits()) or (parent is not None and parent.bounded)

    def reserve(self, amount: Amount) -> None:
        """Set `amount` aside in this account and in every one around it, or in none of them.

        Raises:
            BudgetExhausted: it does not fit; names the limit, and whether a settlement may still make room.
        """
        for account in self.chain():
            account._check(amount)
        for account in self.chain():
            account.reserved += amount

    def settle(self, reserved: Amount, actual: Amount) -> None:
        """Give back a reservation and book what was really spent."""
        for account in self.chain():
            account.reserved -= reserved
            account.spent += actual

    def chain(self) -> Iterator[Account]:
        """This account and those around it, innermost first."""
        account: Account | None = self
        while account is not None:
            yield account
            account = account.parent

    def affordable(self, each: Amount, most: int) -> int:
        """How many calls' worth of `each` fit now, at most `most`."""
        for account in self.chain():
            for name, limit in account._limits():
                used = getattr(account.spent, name) + getattr(account.reserved, name)
                if getattr(each, name) > 0:
                    most = min(most, int((limit - used) / getattr(each, name)))
        return max(0, most)

    def _limits(self) -> Iterator[tuple[str, float]]:
        # Time passes whether or not anybody reserves it: the driver keeps deadlines.
        return ((name, limit) for name, limit in self.budget.limits() if name != "seconds")

    def _check(self, amount: Amount) -> None:
        for name, limit in self._limits():
            spent, reserved = getattr(self.spent, name), getattr(self.reserved, name)
            if spent + reserved + getattr(amount, name) > limit:
                raise BudgetExhausted(
                    f"budget {name}={limit:g} reached: {spent:g} spent, the next call may need "
                    f"{getattr(amount, name):g}",
                    name,
                    refundable=self.reserved.calls > 0,
                )
