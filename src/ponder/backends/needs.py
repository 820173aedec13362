"""What a request needs of a backend."""

from __future__ import annotations

from collections.abc import Iterable

from ponder.core.backend import Backend, Capability, Request
from ponder.core.errors import InvalidOption, MissingCapability
from ponder.core.problem import beyond_text

__all__ = ["declared", "is_whole", "needs", "refuse_options", "refuse_undeclared"]


def needs(request: Request) -> frozenset[Capability]:
    """The capabilities without which `request` cannot be carried out.

    A seed is a wish: a backend without `Capability.SEED` ignores it.
    """
    wanted = {Capability.SAMPLE}
    if request.prefix:
        wanted.add(Capability.CONTINUE)
    if request.n > 1:
        wanted.add(Capability.N)
    if request.logprobs:
        wanted.add(Capability.LOGPROBS)
    if request.schema is not None:
        wanted.add(Capability.SCHEMA)
    if request.thinking is not None:
        wanted.add(Capability.THINKING if isinstance(request.thinking, str) else Capability.THINKING_BUDGET)
    if beyond_text(request.messages) is not None:
        wanted.add(Capability.IMAGES)
    return frozenset(wanted)


def is_whole(given: Iterable[str] | None) -> bool:
    """True if `given` names all capabilities, not changes to what is found out."""
    return given is not None and not any(name.startswith(("+", "-")) for name in given)


def declared(given: Iterable[str] | None, known: frozenset[Capability]) -> frozenset[Capability]:
    """The capabilities that a user has declared, where `known` ones are assumed.

    Names without a sign are all there are; with signs they are added (``+seed``) or taken away (``-n``).

    Raises:
        InvalidOption: there is no such capability; or signs on some names only.
    """
    if given is None:
        return known
    names = list(given)
    signed = [name for name in names if name.startswith(("+", "-"))]
    if signed and len(signed) < len(names):
        raise InvalidOption(f"capabilities {','.join(names)}: put a sign before each of them, or before none")
    if not signed:
        return frozenset(map(_capability, names)) | {Capability.SAMPLE}
    added = {_capability(name[1:]) for name in signed if name[0] == "+"}
    return (known | added) - {_capability(name[1:]) for name in signed if name[0] == "-"}


def _capability(name: str) -> Capability:
    try:
        return Capability(name)
    except ValueError:
        raise InvalidOption(f"{name!r} is no capability; known: {', '.join(Capability)}") from None


def refuse_undeclared(backend: Backend, request: Request) -> None:
    """Raise before anything is sent if the backend does not declare what the request needs.

    Raises:
        MissingCapability: names the capabilities that are missing.
    """
    missing = needs(request) - backend.capabilities
    if missing:
        names = ", ".join(repr(str(capability)) for capability in sorted(missing))
        raise MissingCapability(f"the backend {backend.name!r} cannot do what this call needs: {names}")


def refuse_options(backend: Backend, request: Request, known: Iterable[str]) -> None:
    """Raise before anything is sent if the request has options other than the `known` ones.

    Raises:
        MissingCapability: names them.
    """
    unknown = sorted(request.options.keys() - set(known))
    if unknown:
        raise MissingCapability(f"the backend {backend.name!r} cannot honour {', '.join(map(repr, unknown))}")
