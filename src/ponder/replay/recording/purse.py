"""A budget for a whole recording, which holds while many questions are recorded at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ponder.core.bill import Bill, Price
from ponder.core.budget import Account, Amount, Budget
from ponder.core.errors import InvalidOption

__all__ = ["Purse", "worst"]

_BYTES = 4
"""Of a prompt, for each token that a branch has written: what a probe or the next interval reads again."""


def worst(
    question: str, n: int, interval: int | None, max_tokens: int, probe_tokens: int, price: Price | None
) -> Amount:
    """The most that one question comes to, failed attempts apart."""
    depth = -(-max_tokens // interval) if interval else 1
    calls = n * depth * (2 if interval else 1)
    tokens = n * (max_tokens + (depth * probe_tokens if interval else 0))
    read = len(question.encode()) + 512 + (_BYTES * max_tokens if interval else 0)
    return Amount(tokens, calls, 0.0 if price is None else price.cost(calls * read, 0, tokens))


class Purse:
    """Sets aside the worst case of each question before it begins, and books what it has cost at its end.

    Raises:
        InvalidOption: dollars are limited, and nobody knows the price of the model.
    """

    def __init__(self, budget: Budget, price: Price | None) -> None:
        if budget.usd is not None and price is None:
            raise InvalidOption("a budget in dollars needs the price of the model, which nobody knows")
        self._account = Account(budget)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def holding(self, most: Amount, bill: Callable[[], Bill]) -> AsyncIterator[Budget]:
        """For the time of one question, with what it may cost; `bill` says what it has.

        Raises:
            BudgetExhausted: it does not fit, and nothing is under way that may give back a part.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._account.affordable(most, 1) or not self._account.reserved.calls)
            self._account.reserve(most)
        limits = self._account.budget
        try:
            yield Budget(
                tokens=limits.tokens and most.tokens, usd=limits.usd and most.usd, calls=limits.calls and most.calls
            )
        finally:
            cost = bill()
            self._account.settle(most, Amount(cost.total_tokens, cost.calls, cost.usd or 0.0))
            async with self._changed:
                self._changed.notify_all()
