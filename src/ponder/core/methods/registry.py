"""What can run, by name, and the spec that people write: ``name[@effort][(key=value,...)]``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.methods import options
from ponder.core.methods.specs import settle, write_spec
from ponder.core.problem import Reads
from ponder.core.session import Session

__all__ = ["Plan", "Strategy", "register", "registered", "strategy"]


Program = Callable[..., Coroutine[Any, Any, Answer]]
Options = Mapping[str, Any]
Roles = Mapping[str, Iterable[Capability]]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named program with declared options.

    `effort` maps a number in [0, 1] to options such that more effort never spends less. `needs` says what the backend
    must be able to do under given options, `verifier` whether these options need a verifier, or what it must read:
    "prefix" for one that scores replies which are still under way (`ponder.core.problem.reads_of`). `roles` are the
    models that it needs besides the main one, and what each must be able to do.
    """

    name: str
    program: Program
    options: Mapping[str, tuple[Any, Any]]
    effort: Callable[[float], Options]
    needs: Callable[[Options], frozenset[Capability]]
    verifier: Callable[[Options], bool | Reads]
    summary: str
    roles: Callable[[Options], Roles] = lambda _: {}

    @classmethod
    def of(
        cls,
        program: Program,
        name: str | None = None,
        *,
        effort: Callable[[float], Options] | None = None,
        needs: Iterable[Capability] | Callable[[Options], Iterable[Capability]] = (),
        verifier: bool | Reads | Callable[[Options], bool | Reads] = False,
        roles: Mapping[str, Iterable[Capability]]
        | Callable[[Options], Mapping[str, Iterable[Capability]]]
        | None = None,
    ) -> Strategy:
        """A strategy that is in no registry; see `strategy`."""
        declared = options.declared(program)
        return cls(
            name=name or program.__name__.replace("_", "-"),
            program=program,
            options=declared,
            effort=effort or (lambda _: {}),
            needs=lambda values: frozenset(needs(values) if callable(needs) else needs) | {Capability.SAMPLE},
            verifier=lambda values: verifier(values) if callable(verifier) else verifier,
            summary=(program.__doc__ or "").strip().split("\n")[0],
            roles=lambda values: roles(values) if callable(roles) else roles or {},
        )

    def plan(self, effort: float | None = None, /, **given: Any) -> Plan:
        """These options, the rest from `effort` or from the defaults.

        Raises:
            UnknownName: an option that the strategy does not have.
            InvalidOption: out of bounds or of the wrong type; effort outside [0, 1].
        """
        values = settle(self.name, self.options, self.effort, effort, given)
        return Plan(self, values, effort, tuple(given))


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy with all its options set."""

    strategy: Strategy
    values: Mapping[str, Any]
    effort: float | None = None
    given: tuple[str, ...] = field(default=())

    @property
    def needs(self) -> frozenset[Capability]:
        """What the backend must be able to do."""
        return self.strategy.needs(self.values)

    @property
    def roles(self) -> Mapping[str, frozenset[Capability]]:
        """The models that it needs besides the main one, and what each must be able to do."""
        return {role: frozenset(needs) for role, needs in self.strategy.roles(self.values).items()}

    @property
    def needs_verifier(self) -> bool:
        """True if it scores branches."""
        return bool(self.strategy.verifier(self.values))

    @property
    def scores_prefixes(self) -> bool:
        """True if it scores branches that can still grow."""
        return self.strategy.verifier(self.values) == "prefix"

    @property
    def spec(self) -> str:
        """The spec that gives this plan."""
        return write_spec(self.strategy.name, self.effort, {name: self.values[name] for name in self.given})

    def start(self, session: Session) -> Coroutine[Any, Any, Answer]:
        """The coroutine that a driver runs."""
        return self.strategy.program(session, **self.values)


_registry: dict[str, Strategy] = {}


def strategy(
    name: str | None = None,
    *,
    effort: Callable[[float], Options] | None = None,
    needs: Iterable[Capability] | Callable[[Options], Iterable[Capability]] = (),
    verifier: bool | Reads | Callable[[Options], bool | Reads] = False,
    roles: Roles | Callable[[Options], Roles] | None = None,
) -> Callable[[Program], Strategy]:
    """Make an ``async def program(s: Session, **options) -> Answer`` a strategy and register it under its name.

    Options are the parameters after the session; annotate them with `Count`, `Share` or ``Annotated[..., Between]`` to
    bound them.
    """
    if callable(name):
        raise TypeError("write @strategy() or @strategy(NAME): the decorator needs its parentheses")

    def decorate(program: Program) -> Strategy:
        made = Strategy.of(program, name, effort=effort, needs=needs, verifier=verifier, roles=roles)
        register(made)
        return made

    return decorate


def register(made: Strategy) -> None:
    """Make `made` known by its name; a later one of the same name replaces it."""
    _registry[made.name] = made


def registered() -> Mapping[str, Strategy]:
    """All strategies by name."""
    return dict(sorted(_registry.items()))
