"""Calls and their results as plain data for the journal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ponder.core import errors
from ponder.core.backend import Choice, Completion, Progress, Request, Usage
from ponder.core.errors import BackendError, BudgetExhausted, PonderError
from ponder.core.ledger import Purpose

__all__ = [
    "completion",
    "cut",
    "error",
    "intent",
    "produced",
    "read_completion",
    "read_cut",
    "read_error",
    "read_limit",
]


def intent(purpose: Purpose, request: Request) -> dict[str, Any]:
    """What is about to be asked. The messages are in the run's header, the text in the rows before this one."""
    return {
        "purpose": purpose,
        "branches": list(request.branches),
        "n": request.n,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
    }


def completion(reply: Completion) -> dict[str, Any]:
    """A complete reply."""
    return {"choices": [_choice(choice) for choice in reply.choices], "usage": asdict(reply.usage)}


def read_completion(result: Mapping[str, Any]) -> Completion:
    """The inverse of `completion`."""
    return Completion(tuple(Choice(**choice) for choice in result["choices"]), Usage(**result["usage"]))


def produced(progress: Progress) -> tuple[Choice, ...]:
    """What an incomplete call had produced."""
    return tuple(Choice(text, tokens, "length") for text, tokens in zip(progress.texts, progress.tokens, strict=True))


def cut(progress: Progress, *, limit: BudgetExhausted | None = None, interrupted: bool = False) -> dict[str, Any]:
    """An incomplete reply. One that was interrupted from outside is to be made again when the run resumes."""
    result: dict[str, Any] = {"cut": [_choice(choice) for choice in produced(progress)]}
    if limit is not None:
        result["limit"] = {"message": str(limit), "limit": limit.limit}
    if interrupted:
        result["interrupted"] = True
    return result


def read_cut(result: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The choices of `cut`."""
    return tuple(Choice(**choice) for choice in result["cut"])


def read_limit(result: Mapping[str, Any]) -> BudgetExhausted | None:
    """The limit of `cut`."""
    return BudgetExhausted(**result["limit"]) if "limit" in result else None


def error(failure: BackendError | BudgetExhausted) -> dict[str, str]:
    """A call that failed for good, or whose retry did not fit the budget."""
    limit = {"limit": failure.limit} if isinstance(failure, BudgetExhausted) else {}
    return {"kind": type(failure).__name__, "message": str(failure), **limit}


def read_error(data: Mapping[str, str]) -> PonderError:
    """The inverse of `error`."""
    if data["kind"] == "BudgetExhausted":
        return BudgetExhausted(data["message"], data["limit"])
    kind = getattr(errors, data["kind"], BackendError)
    failure: PonderError = kind(data["message"])
    return failure


def _choice(choice: Choice) -> dict[str, Any]:
    data = {"text": choice.text, "tokens": choice.tokens, "finish": choice.finish}
    for name in ("thinking", "thinking_tokens", "logprob", "first"):
        if getattr(choice, name):
            data[name] = getattr(choice, name)
    return data
