"""What an answer was taken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ponder.answers.kinds.quantity import Quantity

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as one kind.

    Answers of one kind and equal `normal` form are equal. `quantity` is set for a number with what stands around it;
    `letter` for a choice such as ``B`` or ``(B) Paris``; `items` for a list; `value` is what else the kind compares.
    `latex` is the formula for computer algebra, None where that could not help.
    """

    kind: str
    normal: str
    quantity: Quantity | None = None
    letter: str = ""
    items: tuple[Reading, ...] = ()
    value: Any = None
    latex: str | None = None

    @property
    def called(self) -> str:
        """The kind as people call it: a number with a unit or a currency is a quantity."""
        return "quantity" if self.quantity is not None and self.quantity.unit else self.kind
