"""What became of a method on a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Replayed"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """Q questions under O orders: per episode whether the answer was right, and what it cost in tokens."""

    correct: NDArray[np.bool_]
    """[Q, O]"""
    answers: NDArray[np.int32]
    """[Q, O] Ids of the trace, -1 for none."""
    tokens: NDArray[np.int64]
    """[Q, O] Over all branches, the pruned ones included."""
    sequential: NDArray[np.int64]
    """[Q, O] On the longest dependent chain."""
    opened: NDArray[np.int64]
    """[Q, O] Branches."""

    @property
    def accuracy(self) -> float:
        """The share of episodes with the right answer."""
        return float(self.correct.mean())

    @property
    def standard_error(self) -> float | None:
        """Of the accuracy, over questions; None for a single one."""
        questions = len(self.correct)
        if questions < 2:
            return None
        return float(self.correct.mean(axis=1).std(ddof=1) / questions**0.5)
