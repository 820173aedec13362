"""Lines of execution: the root of a strategy, and the children of gather and as_completed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ponder.core.budget import Account
from ponder.core.errors import StrategyError

__all__ = ["Lane", "lane_rng"]


@dataclass(slots=True, eq=False)
class Lane:
    """One line of execution of a strategy: the root, or a child of gather or as_completed.

    `depth` is the lane's place on the latency axis: the generated tokens that had to come before this point. `step`
    counts its actions; with `name` it identifies an action in the journal, whatever the interleaving. A `cancellable`
    lane may be cut at any time; a `sealed` one had been cut in an earlier life of the run and makes no new calls.
    """

    name: str
    account: Account
    rng: random.Random
    depth: int = 0
    step: int = 0
    opened: int = 0
    deadline: float = float("inf")
    sealed: bool = False
    cancellable: bool = False
    limits: list[tuple[Account, float]] = field(default_factory=list)

    def name_branch(self) -> str:
        """A name for one more branch that this lane opens."""
        self.opened += 1
        return f"{self.name}b{self.opened - 1}"

    def child(self, index: int, seed: int) -> Lane:
        """The lane of the index-th child of the current action."""
        name = f"{self.name}{self.step}.{index}/"
        return Lane(
            name,
            self.account,
            lane_rng(seed, name),
            depth=self.depth,
            deadline=self.deadline,
            sealed=self.sealed,
            cancellable=self.cancellable,
        )

    def unlimit(self, strategy: str) -> None:
        """Close the innermost limit.

        Raises:
            StrategyError: this lane has opened none.
        """
        if not self.limits:
            raise StrategyError(f"strategy {strategy} leaves a limit() outside of the coroutine that entered it")
        self.account, self.deadline = self.limits.pop()


def lane_rng(seed: int, name: str) -> random.Random:
    """The generator of one lane: independent of every other lane's, the same after a resume."""
    return random.Random(f"{seed}:{name}")
