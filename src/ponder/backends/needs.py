"""What a request needs of a backend."""

from __future__ import annotations

from collections.abc import Iterable

from ponder.core.backend import Backend, Capability, Request
from ponder.core.errors import MissingCapability

__all__ = ["needs", "refuse_options", "refuse_undeclared"]


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
    if request.thinking_budget is not None:
        wanted.add(Capability.THINKING_BUDGET)
    return frozenset(wanted)


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
