"""Strategies by name, and the spec that people write: ``name[@effort][(key=value,...)]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ponder.core import options
from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.core.errors import InvalidOption, UnknownName
from ponder.core.session import Session

__all__ = ["Plan", "Strategy", "parse_spec", "register", "registered", "strategy"]

Program = Callable[..., Coroutine[Any, Any, Answer]]
Options = Mapping[str, Any]

_SPEC = re.compile(r"(?P<name>[^@()\s]+)(?:@(?P<effort>[^()\s]+))?(?:\((?P<options>.*)\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named program with declared options.

    `effort` maps a number in [0, 1] to options such that more effort never spends less. `needs` says what the backend
    must be able to do under given options, `verifier` whether these options need a verifier.
    """

    name: str
    program: Program
    options: Mapping[str, tuple[Any, Any]]
    effort: Callable[[float], Options]
    needs: Callable[[Options], frozenset[Capability]]
    verifier: Callable[[Options], bool]
    summary: str

    def plan(self, effort: float | None = None, /, **given: Any) -> Plan:
        """These options, the rest from `effort` or from the defaults.

        Raises:
            UnknownName: an option that the strategy does not have.
            InvalidOption: out of bounds or of the wrong type; effort outside [0, 1].
        """
        values = {name: default for name, (_, default) in self.options.items()}
        if effort is not None:
            if not 0 <= effort <= 1:
                raise InvalidOption(f"effort {effort:g} must lie between 0 and 1")
            values |= self.effort(effort)
        for name, value in given.items():
            values[name] = options.check(self.name, self.options, name, value)
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
    def needs_verifier(self) -> bool:
        """True if it scores branches."""
        return self.strategy.verifier(self.values)

    @property
    def spec(self) -> str:
        """The spec that gives this plan."""
        effort = "" if self.effort is None else f"@{self.effort:g}"
        inner = ",".join(f"{name}={self.values[name]}" for name in self.given)
        return f"{self.strategy.name}{effort}{f'({inner})' if inner else ''}"

    def start(self, session: Session) -> Coroutine[Any, Any, Answer]:
        """The coroutine that a driver runs."""
        return self.strategy.program(session, **self.values)


_registry: dict[str, Strategy] = {}


def strategy(
    name: str | None = None,
    *,
    effort: Callable[[float], Options] | None = None,
    needs: Iterable[Capability] | Callable[[Options], Iterable[Capability]] = (),
    verifier: bool | Callable[[Options], bool] = False,
) -> Callable[[Program], Strategy]:
    """Make an ``async def program(s: Session, **options) -> Answer`` a strategy and register it under its name.

    Options are the parameters after the session; annotate them with `Count`, `Share` or ``Annotated[..., Between]`` to
    bound them.
    """

    def decorate(program: Program) -> Strategy:
        declared = options.declared(program)
        made = Strategy(
            name=name or program.__name__.replace("_", "-"),
            program=program,
            options=declared,
            effort=effort or (lambda _: {}),
            needs=lambda values: frozenset(needs(values) if callable(needs) else needs) | {Capability.SAMPLE},
            verifier=lambda values: verifier(values) if callable(verifier) else verifier,
            summary=(program.__doc__ or "").strip().split("\n")[0],
        )
        register(made)
        return made

    return decorate


def register(made: Strategy) -> None:
    """Make `made` known by its name; a later one of the same name replaces it."""
    _registry[made.name] = made


def registered() -> Mapping[str, Strategy]:
    """All strategies by name."""
    return dict(sorted(_registry.items()))


def parse_spec(spec: str) -> Plan:
    """Read ``"self-consistency(n=16)"`` or ``"adaptive-consistency@0.5"``.

    Raises:
        UnknownName: no such strategy or option; the text offers the nearest name.
        InvalidOption: the spec, an option or the effort is malformed or out of bounds.
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        raise InvalidOption(f"strategy {spec!r} is not of the form name[@effort][(key=value,...)]")
    name = match["name"]
    if name not in _registry:
        raise UnknownName("strategy", name, _registry)
    found = _registry[name]
    given: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in (match["options"] or "").split(","))):
        key, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InvalidOption(f"{name}: {part!r} is not of the form key=value")
        if key in given:
            raise InvalidOption(f"{name}: {key} is given twice")
        given[key] = options.parse(name, found.options, key, text)
    return found.plan(_effort(match["effort"]), **given)


def _effort(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidOption(f"effort {text!r} is not a number between 0 and 1") from None
