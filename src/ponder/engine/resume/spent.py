"""What an earlier life of a run has spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ponder.core.bill import Bill, Price
from ponder.core.budget import Budget
from ponder.core.ledger import Charge
from ponder.engine.resume.journal import Recorded
from ponder.engine.state import State

__all__ = ["charges_of", "cost_of"]


def charges_of(recorded: Recorded) -> list[Charge]:
    """What its calls were charged."""
    results = (entry.result for entry in recorded.entries)
    return [Charge(**result["charge"]) for result in results if result is not None and "charge" in result]


def cost_of(recorded: Recorded, prices: Mapping[str, Price | None]) -> Bill:
    """What a run has cost whose process died; how its calls followed one another is only known when it goes on."""
    state = State(Budget(), prices, 0)
    state.take_up(charges_of(recorded), recorded.lost)
    return replace(state.bill, seconds=round(recorded.clock, 3))
