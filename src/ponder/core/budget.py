"""Limits that hold: reserve before a call, settle after it.

An `Account` never lets the sum of what is spent and what is reserved pass its budget, nor that of any account above
it. Only a settlement may exceed its reservation (a provider that streams on after a cancel), and that is booked.
Money is added up in whole picodollars: sums of fractions drift, and a promise must not hang on the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ponder.core.errors import BudgetExhausted, InvalidOption
from ponder.core.text.quoting import quoted

__all__ = ["MOST", "Account", "Amount", "Budget"]

_SUFFIX = {"": 0, "k": 3, "m": 6}
_PICO = 10**12
MOST = 10**15
"""Of anything; more is a mistake, and sums of it would not be exact."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?:e([+-]?\d{1,2}))?([km]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a run; None is no limit.

    `tokens` counts every generated token (branches, chats, probes, verifiers), `usd` dollars, `calls` calls made
    (retries included), `seconds` wall time since the run began. A budget is a value: four runs that are given the same
    one may each spend all of it.
    """

    tokens: int | None = None
    usd: float | None = None
    calls: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.limits():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidOption(f"budget {name}={quoted(value)} must be a number")
            if name in ("tokens", "calls") and not isinstance(value, int):
                raise InvalidOption(f"budget {name}={quoted(value)} must be a whole number")
            if not value > 0:
                raise InvalidOption(f"budget {name}={quoted(value)} must be greater than 0")
            if value > MOST:
                raise InvalidOption(f"budget {name}={quoted(value)} is more than {MOST:.0e}; leave it out for no limit")

    def limits(self) -> Iterator[tuple[str, float]]:
        """The limits that are set, by name."""
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None:
                yield name, value

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``"tokens=20k,seconds=30,usd=0.05,calls=100"``.

        Raises:
            InvalidOption: an unknown name, a unit that is none, a number that is none.
        """
        names = cls.__slots__
        values: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, number = (piece.strip() for piece in part.partition("="))
            if name not in names or not equals:
                raise InvalidOption(
                    f"budget {quoted(part)} is not one of {', '.join(f'{name}=NUMBER' for name in names)}"
                )
            match = _NUMBER.fullmatch(number)
            if match is None:
                raise InvalidOption(f"budget {quoted(part)}: {quoted(number)} is not a number like 500, 20k or 0.05")
            if name in values:
                raise InvalidOption(f"budget names {name} twice")
            digits, exponent, suffix = match.groups()
            values[name] = float(f"{digits}e{int(exponent or 0) + _SUFFIX[suffix.lower()]}")
            if values[name] > MOST:  # infinite, for hundreds of digits
                raise InvalidOption(f"budget {quoted(part)} is more than {MOST:.0e}; leave it out for no limit")
        if not values:
            raise InvalidOption(f"budget {quoted(text)} is empty; write for example tokens=20k,seconds=30,usd=0.05")
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


@dataclass(slots=True)
class _Sums:
    """Amounts added up in place, `usd` in picodollars."""

    tokens: int = 0
    calls: int = 0
    usd: int = 0

    def add(self, more: _Sums) -> None:
        self.tokens += more.tokens
        self.calls += more.calls
        self.usd += more.usd

    def take(self, less: _Sums) -> None:
        self.tokens -= less.tokens
        self.calls -= less.calls
        self.usd -= less.usd


class Account:
    """Spending under one budget, inside the account of the budget around it.

    Not thread-safe and never waits: one event loop, or one simulation, owns it.
    """

    def __init__(self, budget: Budget, parent: Account | None = None) -> None:
        self.budget = budget
        self.parent = parent
        self._limits = tuple(_counted(budget))
        self._spent = _Sums()
        self._reserved = _Sums()
        self.bounded: bool = bool(self._limits) or (parent is not None and parent.bounded)

    @property
    def spent(self) -> Amount:
        """What settled calls have cost."""
        return _dollars(self._spent)

    @property
    def reserved(self) -> Amount:
        """What calls under way may cost."""
        return _dollars(self._reserved)

    def reserve(self, amount: Amount) -> None:
        """Set `amount` aside in this account and in every one around it, or in none of them.

        Raises:
            BudgetExhausted: it does not fit; names the limit, and whether a settlement may still make room.
        """
        exact = _exact(amount)
        for account in self.chain():
            account._check(exact)
        for account in self.chain():
            account._reserved.add(exact)

    def settle(self, reserved: Amount, actual: Amount) -> None:
        """Give back a reservation and book what was really spent."""
        held, cost = _exact(reserved), _exact(actual)
        for account in self.chain():
            account._reserved.take(held)
            account._spent.add(cost)

    def chain(self) -> Iterator[Account]:
        """This account and those around it, innermost first."""
        account: Account | None = self
        while account is not None:
            yield account
            account = account.parent

    def affordable(self, each: Amount, most: int) -> int:
        """How many calls' worth of `each` fit now, at most `most`."""
        exact = _exact(each)
        for account in self.chain():
            for name, limit in account._limits:
                used = getattr(account._spent, name) + getattr(account._reserved, name)
                if getattr(exact, name) > 0:
                    most = min(most, (limit - used) // getattr(exact, name))
        return max(0, most)

    def _check(self, amount: _Sums) -> None:
        for name, limit in self._limits:
            spent, reserved, more = (getattr(sums, name) for sums in (self._spent, self._reserved, amount))
            if more and spent + reserved + more > limit:
                unit = _PICO if name == "usd" else 1
                raise BudgetExhausted(
                    f"budget {name}={limit / unit:g} reached: {spent / unit:g} spent, the next call may need "
                    f"{more / unit:g}",
                    name,
                    refundable=self._reserved.calls > 0,
                    inner=self.parent is not None,
                )


def _counted(budget: Budget) -> Iterator[tuple[str, int]]:
    """The limits that are reserved. Time passes whether or not anybody reserves it: the driver keeps deadlines."""
    for name, limit in budget.limits():
        if name != "seconds":
            yield name, round(limit * _PICO) if name == "usd" else int(limit)


def _exact(amount: Amount) -> _Sums:
    return _Sums(amount.tokens, amount.calls, round(amount.usd * _PICO))


def _dollars(sums: _Sums) -> Amount:
    return Amount(sums.tokens, sums.calls, sums.usd / _PICO)
