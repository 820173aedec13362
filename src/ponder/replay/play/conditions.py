"""Under which conditions a trace is replayed: the orders of its branches, the price of a probe, the budget."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption, UnknownName
from ponder.replay.traces.trace import Trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_ORDERS", "SEED_ORDERS", "check_cost", "orders_of", "python_orders", "tokens_of"]

MOST_ORDERS = 100_000


def orders_of(name: str, branches: int, orders: int) -> NDArray[np.int32]:
    """[orders, branches] from the generator of this name, one of `SEED_ORDERS`. More orders begin with the same ones.

    Raises:
        UnknownName: no such generator.
        InvalidOption: no orders, or too many.
    """
    if name not in SEED_ORDERS:
        raise UnknownName("seed order", name, SEED_ORDERS)
    if not 1 <= orders <= MOST_ORDERS:
        raise InvalidOption(f"orders={orders} must lie between 1 and {MOST_ORDERS:,}")
    return SEED_ORDERS[name](branches, orders)


@cache
def python_orders(branches: int, orders: int) -> NDArray[np.int32]:
    """``random.Random(seed).shuffle`` of all branches for seeds 0 to orders - 1, as published for AutoTTS."""
    import numpy as np

    rows = []
    for seed in range(orders):
        row = list(range(branches))
        random.Random(seed).shuffle(row)
        rows.append(row)
    return _fixed(np.array(rows, np.int32))


@cache
def _pcg64_orders(branches: int, orders: int) -> NDArray[np.int32]:
    """NumPy's PCG64 with seed 0 permutes one row after another: a hundred times as fast."""
    import numpy as np

    rows = np.tile(np.arange(branches, dtype=np.int32), (orders, 1))
    return _fixed(np.random.Generator(np.random.PCG64(0)).permuted(rows, axis=1))


def _fixed(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    rows.flags.writeable = False  # it is kept for the next who asks
    return rows


SEED_ORDERS: dict[str, Callable[[int, int], NDArray[np.int32]]] = {"python": python_orders, "pcg64": _pcg64_orders}


def check_cost(trace: Trace, probe_cost: int) -> int:
    """The price of a probe in tokens, if there can be such a one on this trace.

    Raises:
        InvalidOption: less than nothing, or more than an interval.
    """
    if not 0 <= probe_cost <= trace.interval:
        raise InvalidOption(f"probe_cost={probe_cost} must lie between 0 and the interval, {trace.interval}")
    return probe_cost


def tokens_of(budget: Budget | None) -> int:
    """The tokens that an episode may cost, 0 for any number.

    Raises:
        InvalidOption: the budget limits something else, too, which nobody recorded.
    """
    for name, limit in budget.limits() if budget else ():
        if name != "tokens":
            raise InvalidOption(f"budget {name}={limit:g}: a recorded run knows only tokens")
    return budget.tokens or 0 if budget else 0
