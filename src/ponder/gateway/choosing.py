"""What answers a request: which model, and which strategy in front of it.

The model is the name in ``model``, after a prefix ``ponder/SPEC/`` or ``ponder/``. The strategy is, first come:

1. the SPEC of the prefix (``ponder/self-consistency(n=4)/qwen3-8b``),
2. ``strategy`` of the body's field ``ponder``,
3. the default of the API key,
4. the default of the model,
5. the default of the server, if the request asks for more than a pass in any way: by the prefix ``ponder/``, a field
   ``ponder``, or a ``reasoning_effort``.

Without any of these a model of an upstream passes through, and the embedded one makes one pass. A model that the
configuration does not name passes through untouched, ``reasoning_effort`` and all, unless prefix, field ``ponder`` or
the key's default say otherwise.

How much it spends is said by the client's own SPEC, if it does (prefix or field); or else by ``effort`` of the field
``ponder``; or else by ``reasoning_effort``; or else by the default SPEC. ``n`` of the field ``ponder`` is the
strategy's option of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ponder.core.errors import UsageError, near
from ponder.core.methods.registry import Plan
from ponder.core.text.quoting import quoted
from ponder.engine.methods import parse_spec, runnable
from ponder.gateway.errors import BadRequest, NotFound
from ponder.gateway.settings import SINGLE, Config, Key
from ponder.gateway.upstreams.models import Models, Served
from ponder.gateway.wire.fields import Head, Ponder

__all__ = ["EFFORTS", "PREFIX", "Chosen", "choose", "embedding", "model_of"]

PREFIX = "ponder/"

EFFORTS: Mapping[str, float] = {"none": 0.0, "minimal": 0.1, "low": 0.25, "medium": 0.5, "high": 0.75, "xhigh": 1.0}
"""``reasoning_effort`` as the one knob."""

_SPEC = re.compile(r"(?P<spec>[^/@(]+(?:@[^/(]*)?(?:\([^)]*\))?)/(?P<model>.+)", re.DOTALL)


class Chosen(msgspec.Struct, frozen=True):
    """A model and a strategy; without a `plan` the request passes through."""

    served: Served
    plan: Plan | None


def choose(head: Head, asked: Ponder | None, models: Models, config: Config, key: Key | None) -> Chosen:
    """What answers a request.

    Raises:
        NotFound: there is no such model.
        UnknownName: there is no such strategy, or it has no option `n`.
        InvalidOption: an option or effort is malformed or out of bounds.
        BadRequest: ``reasoning_effort`` is none.
    """
    prefixed = head.model.startswith(PREFIX)
    spec, name = _split(head.model.removeprefix(PREFIX), models) if prefixed else (None, head.model)
    served = models.find(name)
    if not (prefixed or asked or served.known or (key and key.strategy)):
        return Chosen(served, None)
    given, asked = asked is not None, asked or Ponder()
    effort = _effort(head.reasoning_effort)
    wants_more = prefixed or given or effort is not None
    own = spec or asked.strategy
    spec = (
        own
        or (key.strategy if key else None)
        or config.defaults.models.get(name)
        or (config.defaults.strategy if wants_more else None)
        or (SINGLE if served.upstream.embedded else None)
    )
    if spec is None:
        return Chosen(served, None)
    return Chosen(served, _plan(spec, asked, effort, own=own is not None))


def embedding(head: Head, models: Models) -> Served:
    """The model that answers a request for embeddings: nothing can stand in front of it.

    Raises:
        NotFound: there is no such model.
        BadRequest: something is asked of Ponder, or the model runs in this process.
    """
    if head.model.startswith(PREFIX):
        raise NotFound(f"no model {quoted(head.model)} for embeddings, which have no strategy: name the model alone")
    if head.ponder is not None:
        raise BadRequest("embeddings have no strategy: leave out the field ponder", "ponder")
    served = models.find(head.model)
    if served.upstream.embedded:
        raise BadRequest(f"{quoted(head.model)} runs in this process and gives no embeddings", "model")
    return served


async def model_of(name: str, models: Models) -> str:
    """The model that a name stands for, after the prefix with its strategy, if it has one.

    Raises:
        NotFound: there is none of that name, or no such strategy.
    """
    try:
        spec, model = _split(name.removeprefix(PREFIX), models) if name.startswith(PREFIX) else (None, name)
        if spec is not None:
            parse_spec(spec)
        models.find(model)
    except UsageError as error:
        raise NotFound(str(error)) from None
    if not await models.lists(model):
        raise NotFound(f"no model {quoted(model)}; GET /v1/models has the list")
    return model


def _split(rest: str, models: Models) -> tuple[str | None, str]:
    """The spec and the model after the prefix; a model's own name may contain slashes, too."""
    match = _SPEC.fullmatch(rest)
    if match is None:
        return None, rest
    name = re.split(r"[@(]", match["spec"])[0]
    if name not in runnable() and (
        rest in models.names or (models.takes_any and not _looks_like_a_spec(match["spec"]))
    ):
        return None, rest
    return match["spec"], match["model"]


def _looks_like_a_spec(text: str) -> bool:
    """Whether it has options, or nearly the name of a strategy; else it may be the first half of ``ORG/MODEL``."""
    return "@" in text or "(" in text or near(text, runnable(), 0.7) is not None


def _plan(spec: str, asked: Ponder, effort: float | None, *, own: bool) -> Plan:
    """The plan of a spec, which is the client's `own`, or a default that what the client says goes before."""
    plan = parse_spec(spec)
    given = {name: plan.values[name] for name in plan.given}
    if asked.n is not None and not (own and "n" in given):
        given["n"] = asked.n
    wanted = asked.effort if asked.effort is not None else effort
    if wanted is None or (own and (plan.effort is not None or plan.given)):
        wanted = plan.effort
    return plan.strategy.plan(wanted, **given)


def _effort(name: object) -> float | None:
    if name is None:
        return None
    if not isinstance(name, str) or name not in EFFORTS:
        raise BadRequest(f"reasoning_effort: {quoted(name)} is none of {', '.join(EFFORTS)}", "reasoning_effort")
    return EFFORTS[name]
