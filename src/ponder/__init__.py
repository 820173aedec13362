"""Test-time compute for language models: better answers at a known price.

    >>> import ponder
    >>> answer = ponder.solve("What is 12 * 13?", strategy="adaptive-consistency", budget="tokens=4k")  # doctest: +SKIP
    >>> answer.value, answer.bill.total_tokens  # doctest: +SKIP

The names below load their modules on first use, so that ``import ponder`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Answer": "ponder.core.answer",
    "Backend": "ponder.core.backend",
    "Between": "ponder.core.methods.options",
    "Bill": "ponder.core.bill",
    "Branch": "ponder.core.branch",
    "Budget": "ponder.core.budget",
    "BudgetExhausted": "ponder.core.errors",
    "Capability": "ponder.core.backend",
    "Count": "ponder.core.methods.options",
    "PonderError": "ponder.core.errors",
    "Problem": "ponder.core.problem",
    "Reply": "ponder.core.completion",
    "Session": "ponder.core.session",
    "Share": "ponder.core.methods.options",
    "Store": "ponder.store.sqlite",
    "UsageError": "ponder.core.errors",
    "Verifier": "ponder.core.problem",
    "aresume": "ponder.api",
    "asolve": "ponder.api",
    "connect": "ponder.backends",
    "pick": "ponder.core.voting.vote",
    "solve": "ponder.api",
    "strategy": "ponder.core.methods.registry",
    "vote": "ponder.core.voting.vote",
}

__all__ = [
    "Answer",
    "Backend",
    "Between",
    "Bill",
    "Branch",
    "Budget",
    "BudgetExhausted",
    "Capability",
    "Count",
    "PonderError",
    "Problem",
    "Reply",
    "Session",
    "Share",
    "Store",
    "UsageError",
    "Verifier",
    "__version__",
    "aresume",
    "asolve",
    "connect",
    "pick",
    "solve",
    "strategy",
    "vote",
]

if TYPE_CHECKING:
    from ponder.api import aresume, asolve, solve
    from ponder.backends import connect
    from ponder.core.answer import Answer
    from ponder.core.backend import Backend, Capability
    from ponder.core.bill import Bill
    from ponder.core.branch import Branch
    from ponder.core.budget import Budget
    from ponder.core.completion import Reply
    from ponder.core.errors import BudgetExhausted, PonderError, UsageError
    from ponder.core.methods.options import Between, Count, Share
    from ponder.core.methods.registry import strategy
    from ponder.core.problem import Problem, Verifier
    from ponder.core.session import Session
    from ponder.core.voting.vote import pick, vote
    from ponder.store.sqlite import Store


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ponder' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value  # the next look-up is a plain one
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
