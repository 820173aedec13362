"""What a person may name as a method, ready to be played on traces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.budget import Budget
from ponder.core.errors import MissingCapability, StrategyError, TooFewBranches, UnknownName, UsageError
from ponder.core.methods.controller import Controller, ControllerPlan, registered_controllers
from ponder.core.methods.registry import Plan, Strategy, registered
from ponder.core.methods.specs import read_spec
from ponder.engine.load_file import load_methods
from ponder.replay.play.conditions import orders_of
from ponder.replay.play.controllers import replay
from ponder.replay.play.outcome import Replayed
from ponder.replay.play.strategies import drive_all
from ponder.replay.play.sweeps import expand
from ponder.replay.traces.trace import Trace

__all__ = ["UNFIT", "Method", "methods"]

_FILE = re.compile(r"(?P<file>.*\.py)(?::(?P<name>[^:/]+))?")

STRATEGY = "strategy:"
"""Before the name of a strategy, where a controller has the same name."""


TRIED = 4
"""Questions on which a method is tried."""

UNFIT = (TooFewBranches, MissingCapability, StrategyError)
"""What is wrong when a method does not fit a trace."""


@dataclass(frozen=True, slots=True)
class Method:
    """A controller, or an ordinary strategy, with all its options set; `spec` is how it was asked for."""

    spec: str
    plan: ControllerPlan | Plan

    @property
    def name(self) -> str:
        """Without settings."""
        return self.plan.controller.name if isinstance(self.plan, ControllerPlan) else self.plan.strategy.name

    @property
    def settings(self) -> Mapping[str, Any]:
        """All options by name."""
        return self.plan.values

    def try_on(
        self,
        trace: Trace,
        *,
        orders: int = 100,
        seed_order: str = "python",
        probe_cost: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Play the first questions under one order, as plain Python: what does not fit is seen before all is played.

        Raises:
            PonderError: as `play` would.
        """
        orders_of(seed_order, trace.branches, orders)
        self.play(
            trace.first(TRIED), orders=1, seed_order=seed_order, probe_cost=probe_cost, budget=budget, interpreted=True
        )

    def play(
        self,
        trace: Trace,
        *,
        orders: int = 100,
        seed_order: str = "python",
        probe_cost: int | None = None,
        budget: Budget | None = None,
        threads: int = 1,
        interpreted: bool | None = None,
    ) -> Replayed:
        """On every question of the trace, under so many orders of its branches.

        A `probe_cost` of None is the measured one, 0 where the trace has none. Strategies run as plain Python in one
        thread. For the rest see `ponder.replay.play.controllers.replay` and `ponder.replay.play.strategies.drive_all`.
        """
        cost = _measured(trace) if probe_cost is None else probe_cost
        if isinstance(self.plan, Plan):
            return drive_all(trace, self.plan, orders=orders, seed_order=seed_order, probe_cost=cost, budget=budget)
        return replay(
            trace,
            self.plan.controller.program,
            self.plan.arguments,
            orders=orders,
            seed_order=seed_order,
            probe_cost=cost,
            budget=budget,
            threads=threads,
            interpreted=interpreted,
        )


def methods(spec: str) -> list[Method]:
    """The methods that one spec names.

    ``cmc@0.5`` is a controller; ``single``, or ``strategy:esc`` where a controller has the name, a strategy;
    ``./mine.py@0.5`` the only method that a file defines, ``./mine.py:name@0.5`` one of several. ``cmc@0:1:0.05`` are
    21 settings. A file is its author's own program: it runs with the rights of whoever names it.

    Raises:
        UnknownName: no such method or option; the text offers the nearest name.
        InvalidOption: the spec, an option or the effort is malformed or out of bounds.
        UsageError: a file cannot be loaded, or defines no method, or several.
    """
    return [_method(one) for one in expand(spec)]


def _measured(trace: Trace) -> int:
    """Tokens that a probe cost on average when the trace was recorded, 0 if nobody counted."""
    costs = trace.probe_costs
    return 0 if costs is None else min(round(float(costs.mean())), trace.interval)


def _method(spec: str) -> Method:
    read = read_spec("method", spec)
    found = _found(read.name)
    return Method(spec, found.plan(read.effort, **read.values(found.options)))


def _found(name: str) -> Controller | Strategy:
    if match := _FILE.fullmatch(name):
        return _in_file(match["file"], match["name"])
    strategies = {STRATEGY + name: found for name, found in registered().items()}
    known: dict[str, Controller | Strategy] = {**registered(), **registered_controllers(), **strategies}
    if name not in known:
        raise UnknownName("method", name, known)
    return known[name]


def _in_file(file: str, name: str | None) -> Controller | Strategy:
    defined = load_methods(Path(file))
    if name and name not in defined:
        raise UnknownName(f"method in {file}", name, defined)
    if not name and len(defined) > 1:
        raise UsageError(f"{file} defines several methods; write {file}:NAME, with one of {', '.join(defined)}")
    return defined[name] if name else next(iter(defined.values()))
