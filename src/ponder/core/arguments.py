"""What `solve` is given, checked before anything is opened or spent."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ponder.core.backend import Backend
from ponder.core.bill import MAIN, Price
from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption, InvalidProblem
from ponder.core.methods.registry import Plan, Strategy
from ponder.core.problem import Problem, Verifier
from ponder.core.settings import Look

__all__ = ["check_arguments"]

_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "abstain_below": (0, 1)}


def check_arguments(given: Mapping[str, Any]) -> None:
    """See that the arguments of `solve`, by name, are of the kinds that it takes.

    Raises:
        InvalidProblem: the question is none.
        InvalidOption: another argument is not what it should be.
    """
    _check_question(given["question"])
    _check_strategy(given["strategy"])
    _check_models(given["models"])
    for name in ("model", "budget", "verifier", "price", "store"):
        value = given[name]
        named = isinstance(value, str) and name != "store"
        if value is not None and not named and not _FITS[name](value):
            raise InvalidOption(f"{name}={_shown(value)}: {_WANTED[name]}")
    for name, (low, high) in _RANGES.items():
        if given[name] is not None and not (_is_number(given[name]) and low <= given[name] <= high):
            raise InvalidOption(f"{name}={_shown(given[name])} must lie between {low} and {high}")
    for name in ("max_tokens", "seed"):
        value = given[name]
        if not (isinstance(value, int) and not isinstance(value, bool)) and not (name == "seed" and value is None):
            raise InvalidOption(f"{name}={_shown(value)} must be a whole number")
    if given["options"] is not None and not isinstance(given["options"], Mapping):
        raise InvalidOption(f"options={_shown(given['options'])} must be a dict of fields of the chat API, by name")
    for name in ("watch", "on_start"):
        if given[name] is not None and not callable(given[name]):
            raise InvalidOption(f"{name}={_shown(given[name])} must be a function")
    if given["answers"] not in get_args(Look):
        raise InvalidOption(f"answers={_shown(given['answers'])} must be one of {', '.join(get_args(Look))}")


def _check_question(question: object) -> None:
    if isinstance(question, str | bytes | Problem):
        return
    if not isinstance(question, Sequence):
        raise InvalidProblem(f"question={_shown(question)}: give a text, chat messages, or a Problem")
    for message in question:
        if isinstance(message, str):
            raise InvalidProblem(
                f"question={_shown(question)} is several texts: solve answers one question; call it for each, "
                'or give chat messages such as {"role": "user", "content": "..."}'
            )


def _check_strategy(strategy: object) -> None:
    if isinstance(strategy, str | Strategy | Plan):
        return
    if inspect.iscoroutinefunction(strategy):
        raise InvalidOption(
            f'strategy={strategy.__name__}: the function is not decorated; put @ponder.strategy("name") above it'
        )
    if inspect.isfunction(strategy):
        raise InvalidOption(
            f"strategy={strategy.__name__}: a strategy is an `async def` under "
            '@ponder.strategy("name"), this is a plain function'
        )
    raise InvalidOption(
        f'strategy={_shown(strategy)}: give a name such as "self-consistency(n=8)", or what @ponder.strategy made'
    )


def _check_models(models: object) -> None:
    if models is None:
        return
    if not isinstance(models, Mapping):
        raise InvalidOption(f"models={_shown(models)} must be a dict from roles to models, such as {{'judge': ...}}")
    for role, model in models.items():
        if not isinstance(role, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", role):
            raise InvalidOption(f"models: {_shown(role)} is no role; a role is a short name in lower case, as 'judge'")
        if role == MAIN:
            raise InvalidOption("models: the main model is given as model=, others by their roles in models=")
        if not isinstance(model, str) and not _FITS["model"](model):
            raise InvalidOption(f"models[{role!r}]={_shown(model)}: {_WANTED['model']}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_verifier(value: object) -> bool:
    return isinstance(value, Verifier) or (callable(value) and not inspect.isclass(value))


def _is_store(value: object) -> bool:
    return all(hasattr(value, name) for name in ("begin", "run"))


_FITS = {
    "model": lambda value: not inspect.isclass(value) and isinstance(value, Backend),
    "budget": lambda value: isinstance(value, Budget),
    "verifier": _is_verifier,
    "price": lambda value: isinstance(value, Price),
    "store": _is_store,
}
_WANTED = {
    "model": 'give a spec such as "openai/gpt-4o-mini" or "qwen3@http://localhost:8000/v1", or a Ponder backend; '
    "clients of other libraries are none",
    "budget": 'say what it limits: budget="tokens=500", or Budget(tokens=500, usd=0.05)',
    "verifier": 'give a name such as "math", a function of problem and answer, or a Verifier',
    "price": 'give dollars for a million tokens, price="0.15/0.60", or a Price',
    "store": "give what ponder.store.opening.open_store() opens",
}


def _shown(value: object) -> str:
    """The value on one line, and its type where that is what is wrong."""
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    text = " ".join(repr(value).split())
    return f"{text[:60]}..." if len(text) > 60 else text
