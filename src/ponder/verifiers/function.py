"""Right if a function of the user's says so."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread

from ponder.core.backend import Capability
from ponder.core.branch import Branch
from ponder.core.errors import InvalidOption, PonderError, VerifierError, describe
from ponder.core.problem import Ask, Problem, Reads
from ponder.verifiers.stated import stated

__all__ = ["Function", "Judge"]

Judge = Callable[[Problem, Any], float | bool | Awaitable[float | bool]]
"""Takes the problem and the answer as the branch put it; gives a score in [0, 1], or whether it is right.

One whose second parameter is called `branch` takes the whole branch, with or without a final answer."""


class Function:
    """Scores with any Python callable. A plain function runs in a thread, an ``async def`` in the event loop.

    Raises:
        InvalidOption: it cannot be called with a problem and an answer.
    """

    needs: frozenset[Capability] = frozenset()

    def __init__(self, judge: Judge, name: str | None = None) -> None:
        self.name = name or getattr(judge, "__qualname__", None) or type(judge).__name__
        self._judge = judge
        self.reads: Reads = "reply" if self._second_parameter() == "branch" else "answer"
        self._asynchronous = inspect.iscoroutinefunction(judge) or inspect.iscoroutinefunction(
            getattr(judge, "__call__", None)  # noqa: B004 - an object with `async def __call__`
        )

    def _second_parameter(self) -> str:
        try:
            signature = inspect.signature(self._judge)
        except (TypeError, ValueError):  # some of C's have none
            return ""
        try:
            return list(signature.bind(None, None).arguments)[-1]
        except TypeError:
            raise InvalidOption(
                f"verifier {self.name} takes {signature!s:.80}; it is called with the problem and the answer"
            ) from None

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """What the function gives.

        Raises:
            VerifierError: the function raised, or gave something other than a number in [0, 1].
        """
        subject = branch if self.reads == "reply" else stated(branch)
        if subject is None:
            return 0.0
        try:
            value = await self._call(problem, subject)
        except PonderError:
            raise
        except (Exception, SystemExit) as error:
            raise VerifierError(f"verifier {self.name} raised {describe(error)}") from error
        return self._checked(value)

    async def _call(self, problem: Problem, subject: str | Branch) -> Any:
        if self._asynchronous:
            return await self._judge(problem, subject)  # type: ignore[misc]
        value = await anyio.to_thread.run_sync(self._judge, problem, subject, abandon_on_cancel=True)
        return await value if inspect.isawaitable(value) else value

    def _checked(self, value: Any) -> float:
        try:
            number = float(value) if not isinstance(value, str) else None
        except (TypeError, ValueError):
            number = None
        if number is None or not 0 <= number <= 1:
            raise VerifierError(
                f"verifier {self.name} gave {value!r:.80}; a score is a number between 0 and 1 "
                "(rewards without bounds come from an object with the methods of ponder.core.problem.Verifier)"
            ) from None
        return number
