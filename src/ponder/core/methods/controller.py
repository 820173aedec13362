"""The second door: width and depth controlled by numbers alone.

A controller is a generator function over arrays; ``yield`` means "carry out my plan". It imports nothing but this
module's names, so that the same source runs interpreted and compiled.

    @controller("first-come")
    def first_come(view: View, plan: Plan, k: Count = 8) -> Iterator[None]:
        plan.open[0] = k
        yield
        while view.n_finished[0] < k // 4:
            for b in range(k):
                if not view.finished[b]:
                    plan.advance[b] = 1
            yield

The answer is the vote over the finished branches, unless the plan names another.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ponder.core.backend import Capability
from ponder.core.errors import InvalidOption, UnknownName
from ponder.core.methods import options
from ponder.core.methods.specs import Spec, read_spec, settle, write_spec

__all__ = [
    "TO_END",
    "TRAIL",
    "Controller",
    "ControllerPlan",
    "Flags",
    "Numbers",
    "Plan",
    "Program",
    "Reals",
    "View",
    "controller",
    "parse_controller",
    "register_controller",
    "registered_controllers",
]

TO_END = -1
"""In `Plan.run`: to the end of the branch."""

TRAIL = 64
"""The length of `Plan.trail`."""


class Numbers(Protocol):
    """Whole numbers that can be read and written by position."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


class Reals(Protocol):
    """Real numbers that can be read and written by position."""

    def __getitem__(self, index: int, /) -> float: ...
    def __setitem__(self, index: int, value: float, /) -> None: ...


Flags = Numbers
"""Zeros and ones."""


class View(NamedTuple):
    """What was paid for. To be read only.

    B is how many branches there may be, A how many answers. Branches count from 0 in the order of opening; answers
    have ids 0, 1, ... in the order in which they were first shown; -1 is none. Single numbers are arrays of length 1.
    """

    n_opened: Numbers
    n_finished: Numbers
    n_answers: Numbers
    """[1] How many answers have been shown."""
    room: Numbers
    """[1] How many more branches may be opened."""
    depth: Numbers
    """[B] Intervals that a branch has advanced."""
    answer: Numbers
    """[B] The id of its latest probe, or of its final answer; -1 before either."""
    finished: Flags
    """[B]"""
    pruned: Flags
    """[B]"""
    length: Numbers
    """[B] Tokens of a finished branch; 0 before."""
    order: Numbers
    """[B] The branches that have finished, the earliest first; within a round the deepest first, then by number."""
    votes: Numbers
    """[A] How many finished branches gave this answer."""
    leader: Numbers
    """[1] The answer with the most votes, the first to get one of several; -1 if no finished branch has an answer."""
    top: Numbers
    """[2] The two largest numbers of votes."""
    confidence: Reals
    """[1] P(the leader is truly ahead of the runner-up), `ponder.core.voting.vote.beta_confidence`; 0 without votes."""


class Plan(NamedTuple):
    """What to do next. All of it happens at once, then it is zero again; pruning comes first."""

    open: Numbers
    """[1] How many branches to open; each advances by one interval, unless `advance` or `run` says otherwise."""
    advance: Numbers
    """[B] Continue by so many intervals, with a probe after each."""
    run: Numbers
    """[B] Continue by so many intervals, or `TO_END`, with no probe."""
    prune: Flags
    """[B] Stop this unfinished branch."""
    answer: Numbers
    """[1] The id to answer with; -1, as at the start, is the vote over the finished branches, or over the latest
    answers of those not pruned when none has finished. Ties go to the answer that was first."""
    note: Numbers
    """[B] The controller's own memory, zero at the start."""
    tally: Numbers
    """[A] The controller's own memory, zero at the start."""
    trail: Reals
    """[TRAIL] The controller's own memory, zero at the start."""


Program = Callable[..., Iterator[None]]


@dataclass(frozen=True, slots=True)
class Controller:
    """A named generator function with declared options.

    `effort` maps a number in [0, 1] to options such that more effort never means less of anything. `needs` says what a
    backend must be able to do for it live.
    """

    name: str
    program: Program
    options: Mapping[str, tuple[Any, Any]]
    effort: Callable[[float], Mapping[str, Any]]
    summary: str
    needs: frozenset[Capability] = frozenset({Capability.CONTINUE})

    def plan(self, effort: float | None = None, /, **given: Any) -> ControllerPlan:
        """These options, the rest from `effort` or from the defaults.

        Raises:
            UnknownName: an option that the controller does not have.
            InvalidOption: out of bounds or of the wrong type; effort outside [0, 1].
        """
        values = settle(self.name, self.options, self.effort, effort, given)
        return ControllerPlan(self, values, effort, tuple(given))


@dataclass(frozen=True, slots=True)
class ControllerPlan:
    """A controller with all its options set."""

    controller: Controller
    values: Mapping[str, Any]
    effort: float | None = None
    given: tuple[str, ...] = field(default=())

    @property
    def spec(self) -> str:
        """The spec that gives this plan."""
        return write_spec(self.controller.name, self.effort, {name: self.values[name] for name in self.given})

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The options in the order of the program's parameters."""
        return tuple(self.values[name] for name in self.controller.options)


_registry: dict[str, Controller] = {}


def controller(
    name: str | None = None,
    *,
    effort: Callable[[float], Mapping[str, Any]] | None = None,
    needs: Iterable[Capability] = (Capability.CONTINUE,),
) -> Callable[[Program], Program]:
    """Register a generator function ``(view, plan, **options)`` as a controller; it stays a plain function.

    Without `effort`, an option that is called so takes the effort itself. One that opens branches and runs them to
    their end, and plans nothing else, says so with ``needs=()``: live it also runs on models that cannot continue.

    Raises:
        InvalidOption: it is no generator function, or an option has a name that live runs use themselves.
    """

    def decorate(program: Program) -> Program:
        if not inspect.isgeneratorfunction(program):
            raise InvalidOption(f"controller {program.__name__} has no yield, with which it says: carry out my plan")
        declared = options.declared(program, skip=2)
        if "interval" in declared:
            raise InvalidOption(f"controller {program.__name__}: no option may be called interval, which every one has")
        own = (lambda value: {"effort": value}) if "effort" in declared else (lambda value: {})
        register_controller(
            Controller(
                name=name or program.__name__.replace("_", "-"),
                program=program,
                options=declared,
                effort=effort or own,
                summary=(program.__doc__ or "").strip().split("\n")[0],
                needs=frozenset(needs),
            )
        )
        return program

    return decorate


def register_controller(made: Controller) -> None:
    """Make `made` known by its name; a later one of the same name replaces it."""
    _registry[made.name] = made


def registered_controllers() -> Mapping[str, Controller]:
    """All controllers by name."""
    return dict(sorted(_registry.items()))


def parse_controller(spec: str) -> ControllerPlan:
    """Read ``"cmc@0.5"`` or ``"parallel-probe(n=64,stable=40)"``.

    Raises:
        UnknownName: no such controller or option; the text offers the nearest name.
        InvalidOption: the spec, an option or the effort is malformed or out of bounds.
    """
    read: Spec = read_spec("controller", spec)
    if read.name not in _registry:
        raise UnknownName("controller", read.name, _registry)
    found = _registry[read.name]
    return found.plan(read.effort, **read.values(found.options))
