"""What a person may name as a method, ready to be played on traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.controller import ControllerPlan, parse_controller
from ponder.replay.evaluate import Replayed, replay
from ponder.replay.sweeps import expand
from ponder.replay.trace import Trace

__all__ = ["Method", "methods"]


@dataclass(frozen=True, slots=True)
class Method:
    """A controller with all its options set; `spec` is how it was asked for."""

    spec: str
    plan: ControllerPlan

    @property
    def name(self) -> str:
        """Without settings."""
        return self.plan.controller.name

    @property
    def settings(self) -> Mapping[str, Any]:
        """All options by name."""
        return self.plan.values

    def play(
        self, trace: Trace, *, orders: int = 100, probe_cost: int = 0, threads: int = 1, interpreted: bool = False
    ) -> Replayed:
        """On every question of the trace, under so many orders of its branches; see `ponder.replay.evaluate.replay`."""
        return replay(
            trace,
            self.plan.controller.program,
            self.plan.arguments,
            orders=orders,
            probe_cost=probe_cost,
            threads=threads,
            interpreted=interpreted,
        )


def methods(spec: str) -> list[Method]:
    """The methods that one spec names: ``cmc@0.5``, or several, ``cmc@0:1:0.05``.

    Raises:
        UnknownName: no such controller or option; the text offers the nearest name.
        InvalidOption: the spec, an option or the effort is malformed or out of bounds.
    """
    return [Method(one, parse_controller(one)) for one in expand(spec)]
