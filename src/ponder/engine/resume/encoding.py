"""Calls and their results as plain data for the journal, and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core import errors
from ponder.core.backend import Progress, Request
from ponder.core.bill import MAIN
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import BackendError, BudgetExhausted, PonderError

__all__ = [
    "completion",
    "cut",
    "error",
    "intent",
    "kept",
    "produced",
    "read_completion",
    "read_cut",
    "read_error",
    "read_kept",
    "read_limit",
    "same",
]


def intent(purpose: str, request: Request, model: str) -> dict[str, Any]:
    """What is about to be asked: enough to see on a resume that the same is asked again.

    The problem's messages are in the run's header, the text of branches is in the rows before this one.
    """
    said = request.prefix
    if purpose not in ("branch", "probe"):
        said += json.dumps([dict(message) for message in request.messages], default=str)
    role = {} if model == MAIN else {"model": model}
    return {
        **role,
        "purpose": purpose,
        "crc": zlib.crc32(said.encode("utf-8", "surrogatepass")),
        "branches": list(request.branches),
        "n": request.n,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
    }


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two intents are of one call. A model may have turned out not to take a seed in between."""
    seeds = (one.get("seed"), other.get("seed"))
    return {**one, "seed": None} == {**other, "seed": None} and (None in seeds or seeds[0] == seeds[1])


def completion(reply: Completion) -> dict[str, Any]:
    """A complete reply."""
    return {
        "choices": [_choice(choice) for choice in reply.choices],
        "usage": {name: getattr(reply.usage, name) for name in ("prompt", "cached", "output", "estimated")},
    }


def read_completion(result: Mapping[str, Any]) -> Completion:
    """The inverse of `completion`."""
    return Completion(tuple(map(_read_choice, result["choices"])), Usage(**result["usage"]))


def produced(progress: Progress) -> tuple[Choice, ...]:
    """What an incomplete call had produced."""
    return tuple(Choice(text, tokens, "length") for text, tokens in zip(progress.texts, progress.tokens, strict=True))


def cut(
    choices: Sequence[Choice], *, limit: BudgetExhausted | None = None, interrupted: bool = False
) -> dict[str, Any]:
    """An incomplete reply. One that was interrupted from outside is to be made again when the run resumes."""
    result: dict[str, Any] = {"cut": [_choice(choice) for choice in choices]}
    if limit is not None:
        result["limit"] = {"message": str(limit), "limit": limit.limit}
    if interrupted:
        result["interrupted"] = True
    return result


def read_cut(result: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The choices of `cut`."""
    return tuple(map(_read_choice, result["cut"]))


def read_limit(result: Mapping[str, Any]) -> BudgetExhausted | None:
    """The limit of `cut`."""
    return BudgetExhausted(**result["limit"]) if "limit" in result else None


def kept(choices: Mapping[str, Choice]) -> dict[str, Any]:
    """The complete choices of a call whose others failed, by the names of their branches."""
    return {"kept": {name: _choice(choice) for name, choice in choices.items()}}


def read_kept(result: Mapping[str, Any]) -> dict[str, Choice]:
    """The choices of `kept`; none in another result."""
    return {name: _read_choice(data) for name, data in result.get("kept", {}).items()}


def error(failure: BackendError | BudgetExhausted) -> dict[str, Any]:
    """A call that failed for good, or whose retry did not fit the budget."""
    limit = {"limit": failure.limit, "inner": failure.inner} if isinstance(failure, BudgetExhausted) else {}
    return {"kind": type(failure).__name__, "message": str(failure), **limit}


def read_error(data: Mapping[str, Any]) -> PonderError:
    """The inverse of `error`."""
    if data["kind"] == "BudgetExhausted":
        return BudgetExhausted(data["message"], data["limit"], inner=data["inner"])
    kind = getattr(errors, data["kind"], BackendError)
    failure: PonderError = kind(data["message"])
    return failure


def _choice(choice: Choice) -> dict[str, Any]:
    data = {"text": choice.text, "tokens": choice.tokens, "finish": choice.finish}
    optional = {
        "thinking": "", "thinking_tokens": 0, "logprob": None, "first": {}, "tool_calls": (),
        "thinking_closed": False, "unsure": False,
    }  # fmt: skip
    return data | {name: getattr(choice, name) for name, absent in optional.items() if getattr(choice, name) != absent}


def _read_choice(data: Mapping[str, Any]) -> Choice:
    return Choice(**{**data, "tool_calls": tuple(data.get("tool_calls", ()))})
