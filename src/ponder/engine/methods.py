"""What can be run by its name: strategies, and controllers that are steered as strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.errors import UnknownName
from ponder.core.methods import options
from ponder.core.methods.controller import Controller, registered_controllers
from ponder.core.methods.registry import Plan, Strategy, registered
from ponder.core.methods.specs import read_spec
from ponder.core.session import Session
from ponder.engine.steering import steer

__all__ = ["CONTROLLER", "INTERVAL", "parse_spec", "runnable"]

CONTROLLER = "controller:"
"""Before the name of a controller, where a strategy has the same name."""

INTERVAL = 64
"""Tokens between two probes of a controller, unless its option `interval` says otherwise."""


def runnable() -> Mapping[str, Strategy]:
    """All strategies by name, and all controllers; one that has the name of a strategy is called ``controller:NAME``.

    One that goes interval by interval has an option besides its own: `interval`, the tokens between two probes.
    """
    strategies = registered()
    known = dict(strategies)
    for name, made in registered_controllers().items():
        name = CONTROLLER + name if name in strategies else name
        if name not in _steered or _steered[name][0] is not made:
            _steered[name] = made, _steer(name, made)
        known[name] = _steered[name][1]
    return dict(sorted(known.items()))


_steered: dict[str, tuple[Controller, Strategy]] = {}


def _steer(name: str, made: Controller) -> Strategy:
    async def program(s: Session, *, interval: int = INTERVAL, **own: Any) -> Answer:
        return await steer(s, name, made.program, [own[option] for option in made.options], interval)

    ours = {"interval": (Annotated[int, options.Between(1, 1_000_000)], INTERVAL)}
    return Strategy(
        name=name,
        program=program,
        options={**made.options, **(ours if Capability.CONTINUE in made.needs else {})},
        effort=made.effort,
        needs=lambda _: made.needs | {Capability.SAMPLE},
        verifier=lambda _: False,
        summary=made.summary,
    )


def parse_spec(spec: str) -> Plan:
    """Read ``"self-consistency(n=16)"``, ``"adaptive-consistency@0.5"``, or a controller, ``"cmc@0.5(interval=100)"``.

    Where both a strategy and a controller have the name, ``controller:NAME`` is the controller.

    Raises:
        UnknownName: no such strategy, controller or option; the text offers the nearest name.
        InvalidOption: the spec, an option or the effort is malformed or out of bounds.
    """
    read, known = read_spec("strategy", spec), runnable()
    bare = read.name.removeprefix(CONTROLLER)
    name = bare if read.name not in known and bare in registered_controllers() else read.name
    if name not in known:
        raise UnknownName("strategy", name, known)
    return known[name].plan(read.effort, **read.values(known[name].options))
